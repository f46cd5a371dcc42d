"""Measure a repair: by the classifier's answers, by hidden rows, and by human judgements of similarity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neoai_utils.embeddings.damage import Damage, Floats, Ids, centred_cosine, silent
from neoai_utils.errors import DataError
from neoai_utils.runtime import progress, refuse_nan

__all__ = ["classify", "divergence", "install", "logits", "mean_cosine", "rank_correlation", "read_pairs", "tokenise"]


def tokenise(tokenizer: Any, texts: Sequence[str], longest: int = 128) -> list[list[int]]:
    """Return the token ids of each text, special tokens included, cut at `longest` tokens."""
    return [list(ids) for ids in tokenizer(list(texts), truncation=True, max_length=longest)["input_ids"]]


def install(model: Any, table: Floats) -> None:
    """Write an embedding table (tokens, size) into a model; nothing else of the model changes."""
    weight = model.get_input_embeddings().weight
    with torch.no_grad():
        weight.copy_(torch.from_numpy(table).to(weight))


def logits(model: Any, tokens: Sequence[Sequence[int]], batch: int = 64) -> Floats:
    """Return the model's logits for each tokenised text, (texts, classes).

    Texts of like length share a batch, so that little is spent on padding; the order of the answers is that of
    the texts.
    """
    length = np.array([len(ids) for ids in tokens])
    order = np.argsort(length, kind="stable")
    padding = model.config.pad_token_id or 0
    answers = np.empty((len(tokens), model.config.num_labels), dtype=np.float32)
    model.eval()
    groups = [order[i : i + batch] for i in range(0, len(order), batch)]
    for rows in progress(groups, "classify"):
        ids = torch.full((len(rows), int(length[rows].max())), padding)
        for line, row in zip(ids, rows, strict=True):
            line[: length[row]] = torch.tensor(tokens[row])
        mask = torch.arange(ids.shape[1])[None, :] < torch.from_numpy(length[rows])[:, None]
        with torch.inference_mode():
            output = model(input_ids=ids.to(model.device), attention_mask=mask.long().to(model.device))
        refuse_nan(output.logits, "the classifier's answers")
        answers[rows] = output.logits.float().cpu().numpy()
    return answers


def classify(model: Any, tokens: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return the class of each tokenised text, (texts,)."""
    return np.asarray(logits(model, tokens).argmax(axis=1), dtype=np.int64)


def divergence(before: Floats, after: Floats) -> float:
    """Return the mean Kullback-Leibler divergence of class probabilities, from logits (texts, classes) each.

    How far a change of the table has moved the model's mind; needs no label.
    """
    from scipy.special import log_softmax

    p, q = log_softmax(before, axis=1), log_softmax(after, axis=1)
    return float((np.exp(p) * (p - q)).sum(axis=1).mean())


def mean_cosine(
    rows: Floats, truth: Floats, damage: Damage, ids: Ids, frequency: NDArray[np.int64] | None = None
) -> float:
    """Return the mean centred cosine over the tokens `ids` that stand for words.

    Args:
        rows: the repair, (ids, size).
        truth: the rows it should be, (ids, size).
        damage: gives the mean row and the words.
        ids: the tokens that the rows belong to.
        frequency: weight each token by the root of its count here, (tokens of the vocabulary,); None: all alike.
    """
    speaks = np.array([not silent(damage.words[i]) for i in ids])
    weight = speaks.astype(float) if frequency is None else speaks * np.sqrt(frequency[ids])
    return float(np.average(centred_cosine(rows, truth, damage.mean), weights=weight))


def read_pairs(path: Path) -> list[tuple[str, str, float]]:
    """Read rated word pairs: three tab-separated columns, comment lines with "#"; words come back in lower case.

    Raises:
        DataError: a line has another form.
    """
    pairs = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            try:
                first, second, rating = line.split("\t")[:3]
                pairs.append((first.lower(), second.lower(), float(rating)))
            except ValueError:
                raise DataError(f"{path}: not a rated pair of words: {line!r}") from None
    return pairs


def rank_correlation(table: Floats, tokenizer: Any, pairs: Sequence[tuple[str, str, float]], mean: Floats) -> float:
    """Return Spearman's correlation of human ratings with the centred cosine of the words' rows.

    A word of several pieces has the mean of their rows.
    """
    from scipy.stats import spearmanr

    words = sorted({a for a, _, _ in pairs} | {b for _, b, _ in pairs})
    pieces = tokenizer(words, add_special_tokens=False)["input_ids"]
    vector = {word: table[ids].mean(axis=0) for word, ids in zip(words, pieces, strict=True)}
    first = np.array([vector[a] for a, _, _ in pairs])
    second = np.array([vector[b] for _, b, _ in pairs])
    return float(spearmanr(centred_cosine(first, second, mean), [pair[2] for pair in pairs]).statistic)
