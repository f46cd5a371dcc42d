"""Embeddings from spelling: character n-grams with nearest neighbours and ridge regression on the intact rows.

The regression is the bag-of-subwords model of Zhao et al., "Generalizing Word Embeddings using Bag of Subwords", EMNLP
2018, and of PBoS (arXiv 2010.10813), fitted in closed form: each n-gram gets a vector, a token's row is their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neoai_utils.arrays import Float32
from neoai_utils.embeddings.damage import Damage

__all__ = ["character_ngrams", "features", "nearest", "ridge"]


def character_ngrams(token: str, min_n: int, max_n: int) -> list[str]:
    """Return the n-grams of `min_n` to `max_n` characters, and the whole word as "=word".

    A word's start is marked "<" and its end ">". "##" is dropped together with the start mark, so that "ing" and
    "##ing" share all n-grams but those at the start.
    """
    continues = token.startswith("##") and len(token) > 2
    word = token[2:] if continues else token
    text = f"{word}>" if continues else f"<{word}>"
    grams = [text[i : i + n] for n in range(min_n, max_n + 1) for i in range(len(text) - n + 1)]
    return [*grams, f"={word}"]


def features(tokens: Sequence[str], min_n: int = 1, max_n: int = 6) -> Any:
    """Return tf-idf weighted n-gram counts, a (tokens, n-grams) float32 CSR matrix with rows of length 1.

    N-grams of a single token are left out: they cannot carry anything from one token to another.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    def analyse(token: str) -> list[str]:
        return character_ngrams(token, min_n, max_n)

    return TfidfVectorizer(analyzer=analyse, min_df=2, sublinear_tf=True, dtype=np.float32).fit_transform(tokens)


def nearest(spelling: Any, damage: Damage, count: int = 10, power: float = 4.0) -> Float32:
    """Return the weighted mean of the `count` donors most similar in spelling, (lost, size) float32.

    The weight of a donor is its cosine to the power of `power`. The less similar the donors, the closer the row stays
    to the mean.

    Args:
        spelling: `features` of the whole vocabulary.
        damage: the broken table.
        count: neighbours of each token.
        power: exponent of the cosine.
    """
    centred = damage.table[damage.donors] - damage.mean
    similarity = (spelling[damage.lost] @ spelling[damage.donors].T).tocsr()
    rows = np.tile(damage.mean, (len(damage.lost), 1))
    for row in range(len(rows)):
        part = slice(similarity.indptr[row], similarity.indptr[row + 1])
        order = np.argsort(-similarity.data[part], kind="stable")[:count]
        weights = similarity.data[part][order] ** power
        if len(order):
            rows[row] += weights @ centred[similarity.indices[part][order]] / (weights.sum() + 0.05)
    return rows


def ridge(
    spelling: Any, damage: Damage, prior: Float32 | None = None, *, alpha: float = 1.0, iterations: int = 25
) -> Float32:
    """Return ridge regression's rows for the lost tokens, (lost, size) float32.

    Solves (X X' + alpha) C = Y in the donors' space by conjugate gradients, Y being the donor rows minus their prior;
    then a lost token's row is prior + x X' C.

    Args:
        spelling: `features` of the whole vocabulary.
        damage: the broken table.
        prior: (tokens, size) expected rows without the spelling; None: the mean donor row for all.
        alpha: the penalty.
        iterations: of conjugate gradients; stopping early only shrinks a little more.
    """
    x = spelling[damage.donors]
    x_transposed = x.T.tocsr()
    expected = np.tile(damage.mean, (len(damage.tokens), 1)) if prior is None else prior
    residual = damage.table[damage.donors] - expected[damage.donors]
    solution = np.zeros_like(residual)
    direction = residual.copy()
    squared = (residual**2).sum(axis=0)
    # scikit-learn's Ridge(solver="sparse_cg") solves the same system one output column at a time; here all columns
    # share each product with the sparse matrix
    for _ in range(iterations):
        image = x @ (x_transposed @ direction) + alpha * direction
        step = squared / np.maximum((direction * image).sum(axis=0), 1e-30)
        solution += step * direction
        residual -= step * image
        squared, before = (residual**2).sum(axis=0), squared
        direction = residual + (squared / np.maximum(before, 1e-30)) * direction
    return np.asarray(expected[damage.lost] + spelling[damage.lost] @ (x_transposed @ solution), dtype=np.float32)
