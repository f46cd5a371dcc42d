"""Task 7, "Cuties segmentation": from the dense features of a frozen CLIP to masks of cats and dogs.

- `files`: the competition's files: read, write, check and grade.
- `masks`: mask files of any common format.
- `metric`: the mean intersection over union.
- `backbones`: CLIP, open_clip and DINOv2, loaded.
- `features`: their features, one vector for each cell of a grid.
- `joined_sizes`: the features of a picture at several sizes, joined.
- `zero_shot`: masks from texts alone.
- `patch_probe`: the published logistic regression on cells.
- `ridge_probe`: our ridge regression on cells, in two stages.
- `self_training`: a ridge probe that also learns from pictures without masks.
- `refine`: a mask that follows the picture's edges, from a coarse map.
- `selection`: penalties and thresholds, chosen on left-out pictures.
- `photographs`: sixty labelled photographs of birds.
- `miniature`: builds the small competition: drawings of cats and dogs, and a small CLIP.
"""
