"""Fast Vocabulary Transfer: the mean of the tokens that WordPiece itself cuts a lost token into.

Gee et al., "Fast Vocabulary Transfer for Language Model Compression", EMNLP 2022 (arXiv 2402.09977). The tokenizers
library cannot do the cut: its WordPiece always takes a word from its start, while a lost token may continue one ("##").
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neoai_utils.arrays import Float32
from neoai_utils.embeddings.damage import Damage

__all__ = ["cut", "wordpiece_mean"]


def cut(token: str, vocabulary: Mapping[str, int]) -> list[int]:
    """Cut `token` from the left into the longest tokens of the vocabulary (WordPiece's greedy rule); return their ids.

    Tokens inside a word carry "##", as does the first one if `token` continues a word itself. Where no token fits, the
    result is empty.
    """
    continues = token.startswith("##") and len(token) > 2
    text = token[2:] if continues else token
    ids, start = [], 0
    while start < len(text):
        prefix = "##" if continues or start else ""
        for end in range(len(text), start, -1):
            if prefix + text[start:end] in vocabulary:
                ids.append(vocabulary[prefix + text[start:end]])
                start = end
                break
        else:
            return []
    return ids


def wordpiece_mean(damage: Damage) -> Float32:
    """Return the mean row of each lost token's cut, (lost, size) float32; the mean donor row where there is none."""
    rows = np.tile(damage.mean, (len(damage.lost), 1))
    for row, i in enumerate(damage.lost):
        ids = cut(damage.tokens[i], damage.donor_ids)
        if ids:
            rows[row] = damage.table[ids].mean(axis=0)
    return rows
