"""Task 5, "Broken BERT": repair zeroed rows of an embedding table from the intact rows and from unlabelled texts.

- `files`: the competition's files: read, write, check and grade.
- `metric`: the classes, accuracy and macro-F1.
- `models`: the broken model, its tokenizer and its embedding table.
- `damage`: zero rows, the rules that protect the others, and hidden donors for validation.
- `substrings`: the organisers' repair, the mean of all tokens inside a lost one.
- `wordpiece`: the mean of the tokens that WordPiece cuts a lost token into.
- `inner_lexicon`: rows from the hidden states of a token's parts in the frozen model.
- `ngrams`: character n-grams with nearest neighbours and ridge regression.
- `ranks`: the row that a token's rank in the vocabulary predicts.
- `cooccurrence`: counts of context words in the texts.
- `contexts`: rows from context words (a la carte, FOCUS).
- `gaussian_process`: the correction of a repair by context similarity.
- `stacking`: the linear combination of repairs, and the length of rows.
- `evaluation`: predictions of the classifier, and measures of a repair without labels.
- `miniature`: builds the small competition.
"""
