"""Fast Vocabulary Transfer: the mean of the pieces that WordPiece itself would cut a lost token into.

Gee et al., "Fast Vocabulary Transfer for Language Model Compression", EMNLP 2022 (arXiv 2402.09977).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neoai_utils.embeddings.damage import Damage, Floats

__all__ = ["pieces", "wordpiece_mean"]


def pieces(token: str, known: Mapping[str, int]) -> list[int]:
    """Cut `token` from the left into the longest known pieces (WordPiece's greedy rule); return their ids.

    Pieces inside a word carry "##", as does a token that continues a word itself. Where no piece fits, the result
    is empty.
    """
    inside = token.startswith("##") and len(token) > 2
    text = token[2:] if inside else token
    found, start = [], 0
    while start < len(text):
        prefix = "##" if inside or start else ""
        for end in range(len(text), start, -1):
            if prefix + text[start:end] in known:
                found.append(known[prefix + text[start:end]])
                start = end
                break
        else:
            return []
    return found


def wordpiece_mean(damage: Damage) -> Floats:
    """Return the mean row of each lost token's pieces, (lost, size); the mean donor row where there are none."""
    rows = np.tile(damage.mean, (len(damage.lost), 1))
    for row, i in enumerate(damage.lost):
        found = pieces(damage.words[i], damage.donor_ids)
        if found:
            rows[row] = damage.table[found].mean(axis=0)
    return rows
