"""Task 1, "Tricy table data": features, row weights and target transforms for a LightGBM with fixed settings.

- `files`: the competition's two tables, the submission, and its grading.
- `metric`: the fourth root of the mean squared error.
- `clock`: time as one number, and its recovery where day, hour or minute are missing.
- `smoothing`: kernel means of the sensors along time.
- `group_means`: means over the rows of a group.
- `imputation`: missing values filled by medians with flags, or by regression.
- `transforms`: transforms of the target with their inverses.
- `row_weights`: weights of the training rows.
- `stacking`: out-of-fold predictions as features, and a regression of the target on uncertain times.
- `fixed_lightgbm`: the competition's trainer with its fixed settings.
- `evaluation`: one experiment, validated on held-out rows and applied to the test table.
- `miniature`: a generated table in the competition's format.
"""
