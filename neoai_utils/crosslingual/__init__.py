"""Task 8, "Intent detection and slot filling": train on English sentences, predict the labels of Russian ones.

- `files`: the competition's files: read, write, check and grade.
- `conll`: labelled sentences in the CoNLL format.
- `layout`: which column of a CoNLL file holds what.
- `tags`: slot tags, repaired where they are malformed.
- `pairs`: pairs of sentences in two languages.
- `word_splitting`: raw sentences split into words as the CoNLL files are.
- `metric`: the weighted F1 of intents and of slot tags.
- `utterances`: a sentence with its labels.
- `encoding`: utterances as tokens.
- `joint`: the model with its two heads.
- `training`: fine-tuning.
- `precision`: training in half precision on a GPU.
- `planning`: the sizes of the trainings, and their hours.
- `prediction`: the model's probabilities, and their average over models.
- `masked_language`: continued pretraining of the encoder.
- `word_translation`: a dictionary learnt from sentence pairs.
- `code_switching`: sentences with some words translated.
- `projection`: labels carried from an English sentence to its Russian partner.
- `likeness`: how much sentences resemble others.
- `self_training`: confident predictions as labels.
- `miniature`: builds the small competition: commands to a smart home, from templates.
"""
