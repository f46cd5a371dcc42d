"""Task 6, "Hogspell challenge": edit a text-to-image model so that "horse" draws a pig and all else stays the same.

- `files`: the competition's files: read, write, check and grade.
- `metric`: what the judge is asked, and the harmonic mean of three accuracies.
- `judge`: the CLIP model that classifies pictures.
- `prompts`: our own words and prompts, for edits and for validation.
- `sentences`: a bank of sentences by kind.
- `generation`: load a pipeline and draw pictures, seeded prompt by prompt, resumed after an interruption.
- `cards`: one pipeline on several GPUs.
- `hours`: how long drawing takes on a processor.
- `texts`: states of the text encoder, and the alignment of two prompts.
- `training`: the training loop on the UNet's weights.
- `finetune`: fine-tuning on pictures, with prior preservation.
- `distillation`: concept ablation and ESD, which learn from the unedited network.
- `redirection`: word embeddings replaced by another word's.
- `closed_form`: cross-attention edited by ridge regression (TIME, UCE).
- `null_space`: cross-attention edited where nothing to keep is touched (SPEED).
- `steering`: activations changed while drawing (CASteer).
- `lexicon`: which of our sentences a text contains.
- `gate`: a classifier and a linear map behind the text encoder; our recipe.
- `attention_maps`: where a picture attends to a word.
- `experiment`: one row of the ladder: edit, draw, judge, undo.
- `miniature`: builds the small competition.
"""
