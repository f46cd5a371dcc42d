"""Spelling to vector: character n-grams, nearest neighbours and ridge regression from the rows that are left.

The regression is the bag-of-subwords model of Zhao et al., "Generalizing Word Embeddings using Bag of Subwords", EMNLP
2018, and of PBoS (arXiv 2010.10813), fitted in closed form: each n-gram gets a vector, a token's row is their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neoai_utils.embeddings.damage import Damage, Floats

__all__ = ["features", "nearest", "ridge", "spell"]


def spell(token: str, low: int, high: int) -> list[str]:
    """Return the n-grams of `low` to `high` letters, and the whole word as "=word".

    A word's start is marked "<" and its end ">"; "##" is dropped together with the start mark, so that "ing" and
    "##ing" share all but the first letters' n-grams.
    """
    inside = token.startswith("##") and len(token) > 2
    word = token[2:] if inside else token
    text = f"{word}>" if inside else f"<{word}>"
    grams = [text[i : i + size] for size in range(low, high + 1) for i in range(len(text) - size + 1)]
    return [*grams, f"={word}"]


def features(words: Sequence[str], low: int = 1, high: int = 6) -> Any:
    """Return tf-idf weighted n-gram counts, a (words, n-grams) float32 CSR matrix with rows of length 1.

    N-grams of a single token are left out: they could not carry anything from one token to another.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    def analyse(token: str) -> list[str]:
        return spell(token, low, high)

    return TfidfVectorizer(analyzer=analyse, min_df=2, sublinear_tf=True, dtype=np.float32).fit_transform(words)


def nearest(spelling: Any, damage: Damage, count: int = 10, power: float = 4.0) -> Floats:
    """Return the weighted mean of the `count` donors most similar in spelling, (lost, size).

    The weight of a donor is its cosine to the power of `power`; the less similar the donors, the closer the row
    stays to the mean.
    """
    centred = damage.table[damage.donors] - damage.mean
    similar = (spelling[damage.lost] @ spelling[damage.donors].T).tocsr()
    rows = np.tile(damage.mean, (len(damage.lost), 1))
    for row in range(len(rows)):
        part = slice(similar.indptr[row], similar.indptr[row + 1])
        order = np.argsort(-similar.data[part], kind="stable")[:count]
        weights = similar.data[part][order] ** power
        if len(order):
            rows[row] += weights @ centred[similar.indices[part][order]] / (weights.sum() + 0.05)
    return rows


def ridge(
    spelling: Any, damage: Damage, prior: Floats | None = None, *, alpha: float = 1.0, iterations: int = 25
) -> Floats:
    """Return ridge regression's rows for the lost tokens, (lost, size).

    Solves (X X' + alpha) C = Y in the donors' space by conjugate gradients (all columns at once), Y being the
    donor rows less their prior; then a lost token's row is prior + x X' C.

    Args:
        spelling: `features` of the whole vocabulary.
        damage: the broken table.
        prior: what is expected of every token whatever its spelling, (tokens, size); None: the mean donor row.
        alpha: the penalty.
        iterations: of conjugate gradients; stopping early only shrinks a little more.
    """
    known = spelling[damage.donors]
    turned = known.T.tocsr()
    expected = np.tile(damage.mean, (len(damage.words), 1)) if prior is None else prior
    residual = damage.table[damage.donors] - expected[damage.donors]
    solution = np.zeros_like(residual)
    step = residual.copy()
    size = (residual**2).sum(axis=0)
    for _ in range(iterations):
        image = known @ (turned @ step) + alpha * step
        length = size / np.maximum((step * image).sum(axis=0), 1e-30)
        solution += length * step
        residual -= length * image
        size, before = (residual**2).sum(axis=0), size
        step = residual + (size / np.maximum(before, 1e-30)) * step
    return np.asarray(expected[damage.lost] + spelling[damage.lost] @ (turned @ solution), dtype=np.float32)
