"""The broken model: load it with its tokenizer, and read and write its embedding table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neoai_utils import state_dicts
from neoai_utils.arrays import Float32
from neoai_utils.embeddings.metric import LABELS
from neoai_utils.errors import DataError, NeoaiError

__all__ = ["FOLDER", "HUB_MODEL", "embedding_table", "load", "set_embedding_table"]

FOLDER = "model"
"""The folder beside the tables that may hold the model."""
HUB_MODEL = "Ilseyar-kfu/broken_bert"
"""The competition's model on the hub."""


def load(source: Path | str) -> tuple[Any, Any]:
    """Load (model, tokenizer) from a folder or, by name, from the hub; in float32, the model in evaluation mode.

    Raises:
        NeoaiError: the hub or the named model is out of reach.
        DataError: the folder holds no such model or not all of its weights, the embedding table has fewer rows than
            the vocabulary has tokens (more may be padding), or the model does not have three classes.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model, report = AutoModelForSequenceClassification.from_pretrained(source, output_loading_info=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = f"{source} does not load as a classifier with its tokenizer: {str(error).splitlines()[0]}"
        if isinstance(source, Path):
            raise DataError(reason) from error
        raise NeoaiError(f"{reason} Switch the network on, or put the model into the folder `{FOLDER}`.") from error
    state_dicts.require_whole(report, source)
    rows, size = model.get_input_embeddings().weight.shape[0], len(tokenizer)
    if rows < size:
        raise DataError(f"{source}: the vocabulary has {size} tokens but the embedding table {rows} rows.")
    classes = model.config.num_labels
    if classes != len(LABELS):
        raise DataError(f"{source}: the model has {classes} classes, the task has {len(LABELS)}.")
    return model.float().eval(), tokenizer


def embedding_table(model: Any, tokenizer: Any) -> tuple[Float32, tuple[str, ...]]:
    """Return a copy of the model's embedding table, (tokens, size) float32, and its tokens in the order of the rows.

    Rows beyond the vocabulary, which pad some tables to a round number, are left out. A row without a token is named
    `[unused…]`.
    """
    table = model.get_input_embeddings().weight.detach().float().cpu().numpy()
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return table[: len(tokens)].copy(), tuple(token or f"[unused{row}]" for row, token in enumerate(tokens))


def set_embedding_table(model: Any, table: Float32) -> None:
    """Write a table, (tokens, size) float32, into the first rows of the model's own; nothing else changes."""
    import torch

    weight = model.get_input_embeddings().weight
    with torch.no_grad():
        weight[: len(table)].copy_(torch.from_numpy(table).to(weight))
