"""Task 1, "Tricy table data": features, row weights and target transforms for a LightGBM that may not be changed.

The table is 39 hours of a slow machine, seen through nine sensors and a clock with gaps, and the metric is ruled by
a few rows in its last hours.
"""
