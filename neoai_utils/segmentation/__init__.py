"""Task 7, Cuties segmentation: from the dense features of a frozen CLIP to masks of cats and dogs.

`files` reads and writes the competition's files; `miniature` draws a small competition (`drawings`) around a small
CLIP (`clip_training`); `features` gives one token per cell from CLIP, open_clip or DINOv2; `zero_shot` holds the
methods that learn nothing, `patch_probe` those that learn from twenty masks; `refine` brings a coarse map to the
picture's edges; `selection` chooses every number by leaving one picture out.
"""
