"""Number to vector: what a token's place in the vocabulary says about its row.

The vocabulary of BERT lists single characters first and then the tokens in the order of their frequency in the corpus
it was made from, and embeddings are known to encode frequency (Mu & Viswanath, "All-but-the-Top", ICLR 2018; Gong et
al., "FRAGE", NeurIPS 2018). So a row is in part a smooth function of its number.
"""

from __future__ import annotations

import numpy as np

from neoai_utils.embeddings.damage import Damage, Floats

__all__ = ["expected", "hats"]


def hats(words: tuple[str, ...], count: int = 80, offset: float = 300.0) -> Floats:
    """Return piecewise linear basis functions of log(number + offset), (tokens, 2 * count).

    Half of them belong to tokens that start a word, half to those that continue one ("##"). Each token lies between
    two neighbouring knots and is shared between them, so that every row sums to 1.
    """
    place = np.log(np.arange(len(words)) + offset)
    place = (place - place[0]) / (place[-1] - place[0]) * (count - 1)
    left = np.minimum(place.astype(int), count - 2)
    side = np.where([word.startswith("##") for word in words], 0, count)
    basis = np.zeros((len(words), 2 * count), dtype=np.float32)
    every = np.arange(len(words))
    basis[every, side + left] = 1 - (place - left)
    basis[every, side + left + 1] = place - left
    return basis


def expected(damage: Damage, count: int = 80, penalty: float = 2.0) -> Floats:
    """Return the row that each token's number lets us expect, (tokens, size), by ridge regression on `hats`.

    Args:
        damage: the broken table.
        count: knots; more follow the numbers more closely.
        penalty: pulls towards the mean donor row where donors are few.
    """
    basis = hats(damage.words, count)
    known = basis[damage.donors]
    gram = known.T @ known
    gram[np.diag_indices_from(gram)] += penalty
    solution = np.linalg.solve(gram, known.T @ (damage.table[damage.donors] - damage.mean))
    return np.asarray(damage.mean + basis @ solution, dtype=np.float32)
