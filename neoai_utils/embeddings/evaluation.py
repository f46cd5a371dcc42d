"""Measure a repair: by the classifier's predictions, by hidden rows, and by human judgements of similarity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from neoai_utils.arrays import Float32, Float64, Integers
from neoai_utils.embeddings.damage import Damage, centred_cosine, is_special
from neoai_utils.runtime import progress, refuse_nan

__all__ = [
    "clearly_lowest", "kl_divergence", "logits", "mean_cosine", "outputs", "predict", "rank_correlation", "tokenize",
]  # fmt: skip


def tokenize(tokenizer: Any, texts: Sequence[str], max_length: int = 128) -> list[list[int]]:
    """Return the token ids of each text, special tokens included, cut at `max_length` tokens."""
    return [list(ids) for ids in tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]]


def outputs(
    model: Any, texts: Sequence[Sequence[int]], label: str, batch_size: int = 64, **keywords: Any
) -> Iterator[tuple[Integers, Any]]:
    """Yield the model's outputs for tokenized texts, without gradients: (rows, output) for each batch.

    Texts of similar length share a batch, which keeps padding short; `rows` says which texts the batch holds. A batch
    of 64 texts of 128 tokens takes 0.3 GB in BERT base, in float32, beside 0.4 GB of weights.

    Args:
        model: a BERT.
        texts: token ids of each text.
        label: what the line of progress says.
        batch_size: texts in a batch.
        keywords: further arguments of the model, such as `output_hidden_states=True`.
    """
    length = np.array([len(ids) for ids in texts])
    order = np.argsort(length, kind="stable")
    padding = model.config.pad_token_id or 0
    model.eval()
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    for rows in progress(batches, label):
        ids = torch.full((len(rows), int(length[rows].max())), padding)
        for line, row in zip(ids, rows, strict=True):
            line[: length[row]] = torch.tensor(texts[row])
        mask = torch.arange(ids.shape[1])[None, :] < torch.from_numpy(length[rows])[:, None]
        with torch.inference_mode():
            output = model(input_ids=ids.to(model.device), attention_mask=mask.long().to(model.device), **keywords)
        yield rows, output


def logits(model: Any, texts: Sequence[Sequence[int]], batch_size: int = 64) -> Float32:
    """Return the model's logits for each tokenized text, (texts, classes) float32, in the order of the texts.

    Raises:
        NotANumberError: a logit is not a number.
    """
    result = np.empty((len(texts), model.config.num_labels), dtype=np.float32)
    for rows, output in outputs(model, texts, "classify", batch_size):
        refuse_nan(output.logits, "the classifier's logits")
        result[rows] = output.logits.float().cpu().numpy()
    return result


def predict(model: Any, texts: Sequence[Sequence[int]]) -> Integers:
    """Return the predicted class of each tokenized text, (texts,) int64."""
    return np.asarray(logits(model, texts).argmax(axis=1), dtype=np.int64)


_CLEARLY = 2.0  # standard errors by which a setting must be better


def kl_divergence(before: Float32, after: Float32) -> Float64:
    """Return the Kullback-Leibler divergence of class probabilities for each text, (texts,) float64, in nats.

    It measures how much a change of the table changes the predictions, and needs no label.

    Args:
        before: (texts, classes) logits.
        after: (texts, classes) logits.
    """
    from scipy.special import log_softmax

    p, q = log_softmax(before.astype(np.float64), axis=1), log_softmax(after.astype(np.float64), axis=1)
    return np.asarray((np.exp(p) * (p - q)).sum(axis=1))


def clearly_lowest(trials: Mapping[float, Float64], default: float) -> float:
    """Return the setting with the lowest mean, or `default` unless the lowest is clearly lower.

    All settings are measured on the same texts. So the standard error is that of the mean difference of the pairs,
    which is smaller than that of either mean.

    Args:
        trials: setting -> what it costs on each text, (texts,).
        default: a key of `trials`.
    """
    lowest = min(trials, key=lambda setting: float(trials[setting].mean()))
    gain = trials[default] - trials[lowest]
    return lowest if gain.mean() > _CLEARLY * gain.std(ddof=1) / np.sqrt(len(gain)) else default


def mean_cosine(
    rows: Float32, truth: Float32, damage: Damage, ids: Integers, frequency: Integers | None = None
) -> float:
    """Return the mean centred cosine over the tokens `ids` that stand for words.

    Args:
        rows: the repair, (ids, size).
        truth: the right rows, (ids, size).
        damage: gives the mean row and the vocabulary.
        ids: (ids,) the tokens of the rows.
        frequency: (tokens,) counts; each token is weighted by the root of its count. None: all weights are equal.
    """
    is_word = np.array([not is_special(damage.tokens[i]) for i in ids])
    weight = is_word.astype(float) if frequency is None else is_word * np.sqrt(frequency[ids])
    return float(np.average(centred_cosine(rows, truth, damage.mean), weights=weight))


def rank_correlation(table: Float32, tokenizer: Any, pairs: Sequence[tuple[str, str, float]], mean: Float32) -> float:
    """Return Spearman's correlation of human ratings with the centred cosine of the words' rows.

    A word of several tokens has the mean of their rows.

    Args:
        table: (tokens, size).
        tokenizer: cuts the words.
        pairs: (word, word, rating).
        mean: the mean donor row, (size,).
    """
    from scipy.stats import spearmanr

    words = sorted({a for a, _, _ in pairs} | {b for _, b, _ in pairs})
    token_ids = tokenizer(words, add_special_tokens=False)["input_ids"]
    vector = {word: table[ids].mean(axis=0) for word, ids in zip(words, token_ids, strict=True)}
    first = np.array([vector[a] for a, _, _ in pairs])
    second = np.array([vector[b] for _, b, _ in pairs])
    return float(spearmanr(centred_cosine(first, second, mean), [pair[2] for pair in pairs]).statistic)
