"""Correct a repair by what the frozen model itself reads: hidden states as one more view of a token's contexts.

The repaired model reads all texts once. In the texts some occurrences of donors are hidden: they get the row that the
repair predicts for the donor while it is left out. So donors and lost tokens are read alike, and the mean hidden state
at a token's own positions says which meaning its contexts ask for. Two tokens with similar states get similar
corrections, by the Gaussian process of `gaussian_process`. Nothing is trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neoai_utils.arrays import Float32, Float64, Integers
from neoai_utils.embeddings.contexts import centred
from neoai_utils.embeddings.cooccurrence import TokenizedTexts, counts, unit_rows
from neoai_utils.embeddings.damage import Damage, repaired
from neoai_utils.embeddings.evaluation import outputs
from neoai_utils.embeddings.gaussian_process import context_kernel, correct, count_weights, frequent_lost

__all__ = ["correct_by_reading", "hide_occurrences", "mean_states", "state_kernel"]

HIDDEN_SHARE = 0.35
"""Share of the donors' occurrences that are hidden; the others keep the contexts readable."""
DEPTH = 5 / 6
"""Share of the layers below the state that is read."""
WEIGHT, SHARPNESS = 2.0, 2.0
"""Weight of the states beside the views of `context_kernel`, whose weights sum to 2.5, and how alike two must be."""


def correct_by_reading(
    damage: Damage,
    texts: TokenizedTexts,
    model: Any,
    base: Float32,
    donors: Integers,
    *,
    donor_rows: Float32,
    corrected: tuple[Float32, Float32],
    seed: int = 0,
) -> tuple[Float32, Float32]:
    """Correct a repair by contexts as in `gaussian_process.correct_by_context`, with the model's states as a view.

    Args:
        damage: the broken table.
        texts: token ids of each text, without labels.
        model: the broken model; its table is not used and not changed.
        base: (lost, size) the repair from spelling.
        donors: (donors,) ids of donors that occur at least twice in the texts.
        donor_rows: (donors, size) what the repair gives for them when they are hidden.
        corrected: what `correct_by_context` returned for the same arguments; with these rows the texts are read.
        seed: of the choice which occurrences are hidden.

    Returns:
        (rows, left_out), as `correct_by_context` returns them.
    """
    table = repaired(damage, corrected[0])
    ids = np.concatenate([donors, damage.lost[frequent_lost(damage, texts)]])
    slots = np.full(len(table) + len(donors), -1)
    slots[ids[len(donors) :]] = np.arange(len(donors), len(ids))
    slots[len(table) :] = np.arange(len(donors))
    hidden = hide_occurrences(texts, donors, len(table), seed)
    states, seen = mean_states(model, hidden, np.concatenate([table, corrected[1]]), slots)
    weight = count_weights(counts(texts, len(table))[ids])
    kernel = context_kernel(texts, centred(damage, corrected[0]), ids)
    kernel += weight[:, None] * state_kernel(states, seen) * weight
    return correct(damage, texts, kernel, base=base, donors=donors, donor_rows=donor_rows)


def hide_occurrences(
    texts: TokenizedTexts, donors: Integers, size: int, seed: int = 0, share: float = HIDDEN_SHARE
) -> list[list[int]]:
    """Return the texts with some occurrences of donors hidden: donor number k becomes the id `size` + k.

    Args:
        texts: token ids of each text.
        donors: (donors,) ids.
        size: of the vocabulary.
        seed: of the draw.
        share: of the occurrences that are hidden.
    """
    rng = np.random.default_rng(seed)
    substitute = np.arange(size)
    substitute[donors] = size + np.arange(len(donors))
    return [np.where(rng.random(len(text)) < share, substitute[list(text)], text).tolist() for text in texts]


def mean_states(model: Any, texts: TokenizedTexts, table: Float32, slots: Integers) -> tuple[Float32, Integers]:
    """Return the mean hidden state at the positions of each token.

    Args:
        model: a BERT; the state after `DEPTH` of its layers is read.
        texts: ids of rows of `table`, text by text.
        table: (rows, size) embeddings.
        slots: (rows,) number of the token that each row stands for; -1: none.

    Returns:
        (states, seen): (tokens, size) float32, zero for tokens that are not seen, and (tokens,) how often each was.
    """
    layer = round(DEPTH * model.config.num_hidden_layers)
    total = np.zeros((slots.max() + 1, model.config.hidden_size), dtype=np.float64)
    seen = np.zeros(len(total), dtype=np.int64)
    for rows, output in outputs(model, texts, "read", table=table, output_hidden_states=True):
        values = output.hidden_states[layer].float().cpu().numpy()
        for state, row in zip(values, rows, strict=True):
            slot = slots[np.asarray(texts[row])]
            np.add.at(total, slot[slot >= 0], state[: len(slot)][slot >= 0])
            np.add.at(seen, slot[slot >= 0], 1)
    return (total / np.maximum(seen, 1)[:, None]).astype(np.float32), seen


def state_kernel(states: Float32, seen: Integers) -> Float64:
    """Return WEIGHT * exp(SHARPNESS * (cosine - 1)) of standardized states, (tokens, tokens) float64.

    Args:
        states: (tokens, size) what `mean_states` returned.
        seen: (tokens,) how often each token was seen: the weight of its state in mean and deviation.
    """
    mean = np.average(states, axis=0, weights=seen)
    deviation = np.sqrt(np.average((states - mean) ** 2, axis=0, weights=seen))
    rows = unit_rows((states - mean) / np.maximum(deviation, 1e-6))
    rows[seen == 0] = 0
    return np.asarray(WEIGHT * np.exp(SHARPNESS * (rows @ rows.T - 1.0)), dtype=np.float64)
