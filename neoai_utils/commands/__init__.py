"""The programs, one module each.

- `app`: the `neoai` command.
- `notebooks`: where the notebooks are, and how they are read.
- `run`: run notebooks with papermill.
- `report`: stored notebooks, the README's table and the overview figure.
- `sweep`: one notebook over a grid of parameters.
- `gallery`: the notebooks as pages; its templates are in `templates/`.
- `imports`: what a notebook's imports reach.
- `bundle`: uploads for Kaggle.
- `repository`, `badges`: the repository's address and what is generated from it.
"""
