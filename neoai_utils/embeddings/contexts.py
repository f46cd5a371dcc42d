"""Company to vector: what the given texts, without labels, say about a lost token.

`a_la_carte` is Khodak et al., "A La Carte Embedding: Cheap but Effective Induction of Semantic Feature Vectors", ACL
2018 (arXiv 1805.05388). `focus` follows Dobler & de Melo, "FOCUS: Effective Embedding Initialization for Monolingual
Specialization of Multilingual Models", EMNLP 2023 (arXiv 2305.14481). `company_kernel` and `correct` are our own: a
Gaussian process (Rasmussen & Williams, 2006, chapter 2) that predicts, from the company a token keeps, what the
prediction from its spelling has missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neoai_utils.embeddings.damage import Damage, Floats, Ids, centred_cosine, silent

__all__ = [
    "OFFSETS", "a_la_carte", "association", "centred", "choose_noise", "company_kernel", "correct",
    "counts", "focus", "frequent", "leave_one_out", "neighbour_means", "neighbours", "sparsemax",
]  # fmt: skip

OFFSETS = (-3, -2, -1, 1, 2, 3)
NOISE_LEVELS = (0.25, 0.5, 1.0)
NOISE_DOUBTS = (5.0, 20.0, 80.0)
COMPANY = 1500  # as many of the most frequent tokens serve as company
Texts = Sequence[Sequence[int]]


def counts(texts: Texts, size: int) -> NDArray[np.int64]:
    """Return how often each of `size` tokens occurs in the tokenised texts, (size,)."""
    return np.bincount(np.concatenate([np.asarray(text, dtype=np.intp) for text in texts]), minlength=size)


def neighbours(texts: Texts, size: int) -> dict[int, Any]:
    """Count neighbours: offset -> (size, size) CSR matrix; [i, j] is how often j stands there seen from i."""
    from scipy import sparse

    flat = np.concatenate([np.asarray(text, dtype=np.intp) for text in texts])
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    found = {}
    for offset in OFFSETS:
        gap = abs(offset)
        same = owner[gap:] == owner[:-gap]
        left, right = flat[:-gap][same], flat[gap:][same]
        pair = (left, right) if offset > 0 else (right, left)
        found[offset] = sparse.coo_matrix((np.ones(len(left), np.float32), pair), shape=(size, size)).tocsr()
    return found


def neighbour_means(near: Mapping[int, Any], table: Floats, frequency: NDArray[np.int64], damp: float = 1e-3) -> Floats:
    """Return each token's mean neighbour row: one left, one right, two and three left, two and three right.

    Frequent neighbours count less, by damp / (damp + probability) (Arora et al., "A Simple but Tough-to-Beat
    Baseline for Sentence Embeddings", ICLR 2017).

    Args:
        near: what `neighbours` returned.
        table: (tokens, size) rows to average, already centred.
        frequency: what `counts` returned.
        damp: the smaller, the less frequent neighbours count.

    Returns:
        (tokens, 4 * size); zero for tokens that do not occur.
    """
    weight = (damp / (damp + frequency / frequency.sum())).astype(np.float32)
    blocks = []
    for window in ((-1,), (1,), (-3, -2), (2, 3)):
        matrix = sum(near[offset] for offset in window).multiply(weight[None, :]).tocsr()
        total = np.asarray(matrix.sum(axis=1)).ravel()
        blocks.append(matrix @ table / np.maximum(total, 1e-9)[:, None])
    return np.concatenate(blocks, axis=1).astype(np.float32)


def association(matrix: Any, rows: Ids, columns: Ids, smooth: float = 0.75) -> Floats:
    """Return log(1 + lift) of co-occurrence counts, (rows, columns), rows scaled to length 1.

    The lift is how much more often a pair occurs than chance has it, minus one, at least zero: positive pointwise
    mutual information, softened, with Levy et al.'s smoothed column distribution (TACL 2015).
    """
    part = matrix[:, columns][rows].toarray()
    share = np.asarray(matrix[:, columns].sum(axis=0)).ravel() ** smooth
    chance = part.sum(axis=1, keepdims=True) * share / share.sum()
    lift = np.log1p(np.maximum(part / (chance + 0.05) - 1, 0))
    return _unit(lift).astype(np.float32)


def a_la_carte(damage: Damage, texts: Texts, base: Floats, least: int = 1, penalty: float = 1.0) -> Floats:
    """Return A times the mean context row of each lost token, (lost, size); tokens that never occur keep `base`.

    The matrix A is the ridge solution that maps the context means of the donors in the texts to their own rows,
    each weighted by the root of its frequency.

    Args:
        damage: the broken table.
        texts: tokenised texts.
        base: rows for the lost tokens, (lost, size); they also stand in for lost neighbours.
        least: tokens that occur less often keep `base` as well.
        penalty: ridge penalty, in units of the mean squared feature.
    """
    frequency = counts(texts, len(damage.words))
    means = neighbour_means(neighbours(texts, len(damage.words)), centred(damage, base), frequency)
    known = damage.donors[frequency[damage.donors] > 0]
    x, y = means[known], damage.table[known] - damage.mean
    weight = np.sqrt(frequency[known])[:, None]
    gram = x.T @ (weight * x)
    gram[np.diag_indices_from(gram)] += penalty * np.trace(gram) / len(gram)
    mapping = np.linalg.solve(gram, x.T @ (weight * y))
    rows = base.copy()
    seen = frequency[damage.lost] >= least
    rows[seen] = damage.mean + means[damage.lost[seen]] @ mapping
    return rows


def focus(damage: Damage, texts: Texts, base: Floats, size: int = 64, seed: int = 0) -> Floats:
    """Return sparse mixtures of donors with a similar auxiliary vector, (lost, size); unseen tokens keep `base`.

    The auxiliary vectors come from the texts alone: the leading `size` directions of the neighbour association.
    The weights are the sparsemax of the cosine similarities (Martins & Astudillo, ICML 2016).
    """
    from sklearn.utils.extmath import randomized_svd

    frequency = counts(texts, len(damage.words))
    seen = np.flatnonzero(frequency)
    near = neighbours(texts, len(damage.words))
    company = np.argsort(-frequency, kind="stable")[:COMPANY]
    space = association(near[-1] + near[1], seen, company[frequency[company] > 0])
    left, strength, _ = randomized_svd(space, size, random_state=seed)
    vectors = np.zeros((len(damage.words), size), dtype=np.float32)
    vectors[seen] = _unit(left * np.sqrt(strength))
    donors = damage.donors[frequency[damage.donors] > 0]
    rows = base.copy()
    places = np.flatnonzero(frequency[damage.lost] > 0)
    rows[places] = sparsemax(vectors[damage.lost[places]] @ vectors[donors].T) @ damage.table[donors]
    return rows


def sparsemax(scores: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return the point of the probability simplex nearest to each row of `scores` (rows, n); most entries are zero."""
    ordered = -np.sort(-scores, axis=1)
    above = np.cumsum(ordered, axis=1) - 1
    size = (ordered * np.arange(1, scores.shape[1] + 1) > above).sum(axis=1, keepdims=True)
    return np.asarray(np.maximum(scores - np.take_along_axis(above, size - 1, axis=1) / size, 0))


def centred(damage: Damage, base: Floats) -> Floats:
    """Return the table with `base` in the lost rows and the mean donor row taken off everywhere."""
    table = damage.table - damage.mean
    table[damage.lost] = base - damage.mean
    return table


def company_kernel(
    texts: Texts, table: Floats, tokens: Ids, trust: float = 8.0, columns: int = COMPANY
) -> NDArray[np.float64]:
    """Return how alike the company of two tokens is, (tokens, tokens): a kernel, positive semi-definite.

    Three views are added: which tokens stand one or two places to the left and right; the mean rows of the
    neighbours; which tokens share the text, at half weight. Each view is exp(cosine - 1). The product of
    sqrt(count / (count + trust)) of both tokens makes rare company weak evidence.

    Args:
        texts: tokenised texts.
        table: centred rows of the whole vocabulary, for the means.
        tokens: ids, each occurring in the texts.
        trust: a token that occurs so often is half trusted.
        columns: as many of the most frequent tokens serve as company.
    """
    frequency = counts(texts, len(table))
    near = neighbours(texts, len(table))
    company = np.argsort(-frequency, kind="stable")[:columns]
    places = np.hstack([association(near[o], tokens, company) for o in (-2, -1, 1, 2)]) / 2
    rows = neighbour_means(near, table, frequency)[tokens]
    blocks = np.split(rows - np.average(rows, axis=0, weights=frequency[tokens]), 4, axis=1)
    means = np.hstack([_unit(block) for block in blocks]).astype(np.float32) / 2
    shared = association(_shared(texts, len(table)), tokens, company)
    kernel = np.exp(places @ places.T - 1.0) + np.exp(means @ means.T - 1.0) + 0.5 * np.exp(shared @ shared.T - 1.0)
    weight = np.sqrt(frequency[tokens] / (frequency[tokens] + trust))
    return np.asarray(weight[:, None] * kernel * weight, dtype=np.float64)


def _shared(texts: Texts, size: int) -> Any:
    """Count texts that two tokens share, a (size, size) CSR matrix with a zero diagonal."""
    from scipy import sparse

    flat = np.concatenate([np.asarray(text, dtype=np.intp) for text in texts])
    ends = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    member = sparse.csr_matrix((np.ones(len(flat), np.float32), flat, ends), shape=(len(texts), size))
    together = (member.T @ member).tocsr()
    together.setdiag(0)
    return together


def correct(kernel: NDArray[np.float64], missed: Floats, noise: NDArray[np.float64]) -> Floats:
    """Return what a repair has missed for tokens whose truth is unknown, (unknown, size).

    The posterior mean of a Gaussian process.

    Args:
        kernel: of the known tokens, then the unknown ones.
        missed: truth minus repair of the known ones, (known, size).
        noise: variance of the noise on each known token, (known,).
    """
    from scipy.linalg import solve

    known = len(noise)
    inner = kernel[:known, :known] + np.diag(noise)
    return np.asarray(kernel[known:, :known] @ solve(inner, missed, assume_a="pos"), dtype=np.float32)


def leave_one_out(kernel: NDArray[np.float64], missed: Floats, noise: NDArray[np.float64]) -> Floats:
    """Return what `correct` would give for each known token if that token alone were unknown, (known, size).

    In closed form (Rasmussen & Williams, equation 5.12): the error of token i is [A y]_i / A_ii, where A is the
    inverse of kernel + noise; nothing is fitted again.
    """
    from scipy.linalg import inv

    inverse = inv(kernel[: len(noise), : len(noise)] + np.diag(noise))
    return np.asarray(missed - (inverse @ missed) / np.diag(inverse)[:, None], dtype=np.float32)


def choose_noise(
    kernel: NDArray[np.float64], truth: Floats, unseen: Floats, mean: Floats, frequency: NDArray[np.int64]
) -> tuple[NDArray[np.float64], Floats]:
    """Choose the Gaussian process's noise by leaving out one known token at a time.

    The noise of a token is level * (1 + doubt / count): company kept rarely is doubtful. First the level, then the
    doubt with the highest mean centred cosine wins, each token weighted by the root of its count.

    Args:
        kernel: see `correct`.
        truth: the rows of the known tokens, (known, size).
        unseen: what the repair to be corrected gives for them, (known, size).
        mean: the mean donor row, (size,).
        frequency: how often each known token occurs, (known,).

    Returns:
        (noise, left_out): (known,) and the corrected left-out rows, (known, size).
    """

    def tried(level: float, doubt: float) -> tuple[float, NDArray[np.float64], Floats]:
        noise = level * (1 + doubt / frequency)
        rows = unseen + leave_one_out(kernel, truth - unseen, noise)
        cosine = float(np.average(centred_cosine(rows, truth, mean), weights=np.sqrt(frequency)))
        return cosine, noise, rows

    usual = NOISE_DOUBTS[len(NOISE_DOUBTS) // 2]
    by_level = {level: tried(level, usual) for level in NOISE_LEVELS}
    level = max(by_level, key=lambda level: by_level[level][0])
    by_doubt = [by_level[level], *(tried(level, doubt) for doubt in NOISE_DOUBTS if doubt != usual)]
    _, noise, rows = max(by_doubt, key=lambda trial: trial[0])
    return noise, rows


def frequent(ids: Ids, words: Sequence[str], frequency: NDArray[np.int64], least: int = 2) -> Ids:
    """Return those of `ids` that stand for words and occur at least `least` times."""
    return np.array([i for i in ids if frequency[i] >= least and not silent(words[i])], dtype=np.intp)


def _unit(rows: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))
