"""Task 5, Broken BERT: give lost rows of an embedding table back from the rows and texts that are left.

`files` reads and writes the competition's files and `miniature` builds small ones. `damage` finds the lost rows and
guards the rules; `substrings`, `wordpiece`, `ngrams`, `ranks`, `contexts` and `stacking` repair; `evaluation` measures.
"""
