"""Task 7, Cuties segmentation: from the dense features of a frozen CLIP to masks of cats and dogs.

`files` reads and writes the competition's files; `masks` reads mask files of any common format.
`metric` computes the mean intersection over union.
`backbones` loads CLIP, open_clip and DINOv2; `features` computes their features, one vector per cell.
`zero_shot` makes masks from texts alone.
`patch_probe` is the published logistic regression on cells; `ridge_probe` is ours, in two stages.
`refine` turns a coarse map into a mask that follows the picture's edges.
`selection` chooses penalties and thresholds on left-out pictures.
`photographs` loads sixty labelled photographs of birds.
`miniature` makes the small competition: `drawings` of cats and dogs, and a small CLIP from `clip_training`.
"""
