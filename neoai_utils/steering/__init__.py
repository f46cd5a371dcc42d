"""Task 3, "Evading AI-generated text detection": steer the style of a language model with a vector.

- `files`: the prompts, the submission.
- `metric`: arrays in, grades out.
- `pairs`: human and machine answers in the form of HC3.
- `models`: the writer, detector, encoder and autoencoders that the competition fixes, or a miniature's.
- `generation`: seeded, batched text generation.
- `losses`: the cross-entropy of a text's tokens; perplexity.
- `memory`: how many texts are taken at once.
- `precision`: the writer's number format; bfloat16 where float16 overflows.
- `encoder`: sentence vectors, the measure of content.
- `detector`: detectors of machine-written text.
- `autoencoders`: sparse autoencoders of sae-lens, from the hub or from a folder.
- `hooks`: changes of hidden states during the forward pass.
- `features`: hidden states and latents, averaged over a text.
- `selection`: four ways to select latents.
- `vectors`: steering vectors from differences and latents; clamping.
- `learned`: steering vectors trained by the next-token loss.
- `search`: the strength, chosen on validation prompts.
- `miniature`: builds the small competition: passages of presidents' addresses, autoencoders, a probe as detector.
"""
