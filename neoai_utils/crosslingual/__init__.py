"""Task 8: intents and slots learnt from English sentences, asked of Russian ones.

One module per technique; `files.py` knows the competition's files.
"""
