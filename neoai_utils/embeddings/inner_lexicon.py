"""The inner lexicon: rows from the hidden states that the frozen model gives to the parts of a word.

Kaplan et al., "From Tokens to Words: On the Inner Lexicon of LLMs", ICLR 2025 (arXiv 2410.05864): a model that reads a
word in parts fuses them in its early layers, so the state of the last part stands for the whole word, and a linear map
turns it into the word's embedding. The map is learned here on donors that are cut as if they were lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neoai_utils.arrays import Float32, Integers
from neoai_utils.embeddings.damage import Damage
from neoai_utils.embeddings.evaluation import outputs
from neoai_utils.embeddings.wordpiece import cut

__all__ = ["inner_lexicon", "last_states", "map_states", "parts"]

PENALTIES = (1.0, 10.0, 100.0, 1000.0)
"""Ridge penalties to choose from, for states scaled to unit variance."""


def inner_lexicon(damage: Damage, model: Any, tokenizer: Any, donors: Integers, lost: Integers) -> tuple[Float32, int]:
    """Return rows for lost tokens by the inner lexicon, and the layer that was read.

    Args:
        damage: the broken table.
        model: the broken model; it must hold the table of `damage`.
        tokenizer: its tokenizer.
        donors: (donors,) ids of donors to learn the map on.
        lost: (words,) ids of lost tokens to predict, such as those that occur in the texts.

    Returns:
        (rows, layer): (lost, size) float32, in which all other tokens, and those that cannot be cut, have the mean
        donor row; layer 0 is the model's input.
    """
    words = np.concatenate([donors, lost])
    cuts = parts(damage, words)
    can_be_cut = np.array([len(ids) > 0 for ids in cuts])
    states = last_states(model, tokenizer, [ids for ids in cuts if ids])
    words, from_donors = words[can_be_cut], int(can_be_cut[: len(donors)].sum())
    truth = damage.table[words[:from_donors]]
    rows = np.tile(damage.mean, (len(damage.lost), 1))
    predicted, layer = map_states(states[:, :from_donors], truth, states[:, from_donors:])
    rows[np.searchsorted(damage.lost, words[from_donors:])] = predicted
    return rows, layer


def parts(damage: Damage, ids: Integers) -> list[list[int]]:
    """Return the donors that WordPiece cuts each token into when the token itself is missing; empty where none fit."""
    vocabulary = dict(damage.donor_ids)
    cuts = []
    for token in (damage.tokens[i] for i in ids):
        own = vocabulary.pop(token, None)
        cuts.append(cut(token, vocabulary))
        if own is not None:
            vocabulary[token] = own
    return cuts


def last_states(model: Any, tokenizer: Any, cuts: Sequence[Sequence[int]]) -> Float32:
    """Return the hidden states of the last part of each word, (layers + 1, words, size) float32.

    Each word is read alone, as [CLS] parts [SEP]; the first layer is the model's input.

    Args:
        model: the broken model.
        tokenizer: its tokenizer.
        cuts: the parts of each word, at least one.
    """
    words = [[tokenizer.cls_token_id, *ids, tokenizer.sep_token_id] for ids in cuts]
    shape = (model.config.num_hidden_layers + 1, len(words), model.config.hidden_size)
    states = np.empty(shape, dtype=np.float32)
    for rows, output in outputs(model, words, "inner lexicon", 256, output_hidden_states=True):
        for layer, values in enumerate(output.hidden_states):
            last = values[np.arange(len(rows)), [len(cuts[row]) for row in rows]]
            states[layer, rows] = last.float().cpu().numpy()
    return states


def map_states(donor_states: Float32, donor_rows: Float32, states: Float32) -> tuple[Float32, int]:
    """Turn hidden states into rows by ridge regression; leave-one-out errors choose the layer and the penalty.

    Args:
        donor_states: (layers, donors, size) what `last_states` returned for donors.
        donor_rows: (donors, size) their rows.
        states: (layers, words, size) the same for the words to predict.

    Returns:
        (rows, layer): (words, size) float32, and the layer whose states predict the donors best.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    maps = [make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(x, donor_rows) for x in donor_states]
    layer = int(np.argmax([fitted[-1].best_score_ for fitted in maps]))
    return np.asarray(maps[layer].predict(states[layer]), dtype=np.float32), layer
