"""Task 8, intents and slots: train on English sentences, predict the labels of Russian ones.

`files` reads and writes the competition's files: `conll` labelled sentences, with `layout` for the columns and `tags`
for the slot tags, `pairs` sentence pairs; `word_splitting` splits raw sentences into words.
`metric` computes the weighted F1 of intents and slot tags.
`utterances` holds the sentence with its labels.
`encoding` turns utterances into tokens; `joint` is the model with its two heads; `training` fine-tunes it.
`precision` trains in half precision on a GPU; `planning` sizes the trainings and estimates their time.
`prediction` returns its probabilities; `self_training` keeps the confident ones as labels.
`masked_language` continues the encoder's pretraining.
`word_translation` learns a dictionary from sentence pairs; `code_switching` and `projection` use it.
`miniature` makes the small competition: `commands` to a smart home, drawn from `templates`.
"""
