"""Task 3: steer the style of a language model.

A vector added to the hidden states moves what the model writes; sparse autoencoders help to choose it, and a small
search on prompts of our own finds how far to go before the content is lost.
"""
