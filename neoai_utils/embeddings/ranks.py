"""Embeddings from ranks: what a token's id says about its row.

The vocabulary of BERT lists single characters first and then the tokens by their frequency in the corpus that it was
made from, and embeddings are known to encode frequency (Mu & Viswanath, "All-but-the-Top", ICLR 2018; Gong et al.,
"FRAGE", NeurIPS 2018). So a row is in part a smooth function of its id.
"""

from __future__ import annotations

import numpy as np

from neoai_utils.arrays import Float32
from neoai_utils.embeddings.damage import Damage

__all__ = ["expected", "piecewise_linear_basis"]


def piecewise_linear_basis(tokens: tuple[str, ...], knots: int) -> Float32:
    """Return piecewise linear basis functions of log(id + 300), (tokens, 2 * knots) float32.

    Half of them belong to tokens that start a word, half to those that continue one ("##"). Each token lies between
    two neighbouring knots, and every row sums to 1.
    """
    position = np.log(np.arange(len(tokens)) + 300)
    position = (position - position[0]) / (position[-1] - position[0]) * (knots - 1)
    left = np.minimum(position.astype(int), knots - 2)
    side = np.where([token.startswith("##") for token in tokens], 0, knots)
    basis = np.zeros((len(tokens), 2 * knots), dtype=np.float32)
    rows = np.arange(len(tokens))
    basis[rows, side + left] = 1 - (position - left)
    basis[rows, side + left + 1] = position - left
    return basis


def expected(damage: Damage, knots: int = 80, penalty: float = 2.0) -> Float32:
    """Return the row that each token's id predicts, (tokens, size) float32, by ridge regression.

    Args:
        damage: the broken table.
        knots: more of them follow the ids more closely.
        penalty: pulls towards the mean donor row where donors are few.
    """
    from sklearn.linear_model import Ridge

    basis = piecewise_linear_basis(damage.tokens, knots)
    ridge = Ridge(penalty, fit_intercept=False, solver="cholesky")
    ridge.fit(basis[damage.donors], damage.table[damage.donors] - damage.mean)
    return np.asarray(damage.mean + ridge.predict(basis), dtype=np.float32)
