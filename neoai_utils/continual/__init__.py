"""Task 2, "Underfitting CV": a vision transformer learns 23 weak classes from ten pictures each and keeps the other 79.

- `files`: the competition's pictures, table and network, the submission, and its grading.
- `metric`: accuracy over all test pictures, and over those of old and of weak classes.
- `preprocessing`: pictures scaled and padded to the network's input size.
- `checkpoint`: the competition's `model.pt`, read as a TinyViT.
- `inference`: logits and features in batches.
- `cost`: the memory of a backward pass, and the hours of a training.
- `plan`: the settings of a fine-tuning run.
- `augmentation`: random changes of the training pictures.
- `finetune`: fine-tuning with distillation.
- `head`: the last linear layer: imprinted rows, aligned lengths, shifted logits.
- `averaging`: averages of weights (WiSE-FT and soups).
- `inversion`: pictures of the old classes, reconstructed from the network (DeepInversion).
- `holding_out`: logits of the labelled pictures from networks that were fitted without them.
- `self_labelling`: balanced predictions for unlabelled pictures, used as labels.
- `miniature`: drawings in the competition's format, and a small TinyViT.
"""
