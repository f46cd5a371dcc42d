"""Task 2, Underfitting CV: a vision transformer learns 23 weak classes from ten pictures each and keeps the other 79.

Every technique has a module of its own; `files` knows the competition's files and `miniature` builds the small copy.
"""
