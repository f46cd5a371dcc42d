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
- `optimizer`: its AdamW and learning rates.
- `head`: the last linear layer: imprinted rows, aligned lengths, shifted logits.
- `averaging`: averages of two networks' weights (WiSE-FT).
- `inversion`: pictures of the old classes, reconstructed from the network (DeepInversion).
- `neighbours`: features averaged with those of similar pictures.
- `holding_out`: logits of the labelled pictures from networks that were fitted without them.
- `balancing`: one number per class that spreads predictions evenly over the classes.
- `agreement`: validation by held-out weak pictures and by the teacher's surest predictions.
- `self_labelling`: predictions for unlabelled pictures, used as labels for a new head.
- `contest`: rows that are recorded, validated and kept for the choice.
- `fitting`: networks fitted to some of the labelled pictures, also with predicted labels.
- `miniature`: drawings in the competition's format, and a small TinyViT.
"""
