"""Rated pairs of words."""

from __future__ import annotations

import pytest

from neoai_utils.embeddings.miniature import word_pairs
from neoai_utils.errors import DataError


def test_pairs_are_read_in_lower_case(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("# word 1\tword 2\tmean\nWalk\tJump\t9\nwalk\tcook\t1\n\n", encoding="utf-8")
    assert word_pairs.read(path) == [("walk", "jump", 9.0), ("walk", "cook", 1.0)]


def test_damaged_pairs_are_refused(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("walk jump 9\n")
    with pytest.raises(DataError, match="not a rated pair"):
        word_pairs.read(path)
