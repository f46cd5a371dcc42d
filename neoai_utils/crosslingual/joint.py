"""One encoder, two linear heads: the intent from the first piece, a slot tag from every piece.

This is the competition's locked model (its loss is the sum of two cross-entropies), after Chen, Zhuo and Wang 2019,
"BERT for joint intent classification and slot filling" (1902.10909).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils.crosslingual.encoding import IGNORED, Batch
from neoai_utils.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["JointModel", "Logits", "load_encoder", "loss"]


class Logits(NamedTuple):
    """What the heads say: `intents` (n, intents), `slots` (n, length, tags)."""

    intents: Tensor
    slots: Tensor


class JointModel(nn.Module):
    """An encoder with the two heads.

    Attributes:
        encoder: any model of `transformers` with a `last_hidden_state`.
    """

    def __init__(self, encoder: PreTrainedModel, intents: int, tags: int) -> None:
        """Put fresh heads on an encoder (which is trained too); seed torch before."""
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        self.intent_head = nn.Linear(width, intents)
        self.slot_head = nn.Linear(width, tags)

    def forward(self, pieces: Tensor, mask: Tensor) -> Logits:
        """Return the logits of padded pieces (n, length) and their mask."""
        states = self.encoder(input_ids=pieces, attention_mask=mask).last_hidden_state
        return Logits(self.intent_head(states[:, 0]), self.slot_head(states))


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the sum of both heads' mean cross-entropies; a head without any label adds nothing.

    Args:
        model: a `JointModel`, or one wrapped for several processes.
        batch: what it reads.
    """
    device = next(model.parameters()).device
    found = model(batch.pieces.to(device), batch.mask.to(device))
    parts = ((found.intents, batch.intents), (found.slots.flatten(0, 1), batch.slots.flatten()))
    total = torch.zeros((), device=device)
    for logits, labels in parts:
        if bool((labels != IGNORED).any()):
            total = total + functional.cross_entropy(logits, labels.to(device), ignore_index=IGNORED)
    return total


def load_encoder(source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Return an encoder without pooler, in evaluation mode, and its tokenizer.

    Args:
        source: a folder, or a name on the hub.

    Raises:
        DataError: it cannot be read, or its tokenizer does not know the word of each piece.
    """
    from transformers import AutoModel, AutoTokenizer

    try:
        encoder = AutoModel.from_pretrained(source, add_pooling_layer=False)
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the encoder {str(source)!r} cannot be loaded: {error} Give a folder with config.json, weights and "
            "tokenizer.json, or the name of a model on the hub (which needs internet)."
        ) from error
    if not tokenizer.is_fast:
        raise DataError(f"the tokenizer of {str(source)!r} is not a fast one: it cannot tell the word of each piece.")
    return encoder.eval(), tokenizer
