"""One encoder, two linear heads: the intent from the first token, a slot tag from every token.

This is the competition's locked model (its loss is the sum of two cross-entropies), after Chen, Zhuo and Wang 2019,
"BERT for joint intent classification and slot filling" (1902.10909).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils import errors
from neoai_utils.crosslingual.encoding import IGNORED, Batch
from neoai_utils.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["JointModel", "Logits", "load_encoder", "loss"]

_SPECIAL = 8  # a padding token with a higher number is not at the front of the vocabulary


class Logits(NamedTuple):
    """The outputs of the heads.

    Attributes:
        intents: (n, intents) float32.
        slots: (n, length, tags) float32.
    """

    intents: Tensor
    slots: Tensor


class JointModel(nn.Module):
    """An encoder with the two heads.

    Attributes:
        encoder: any model of `transformers` with a `last_hidden_state`.
    """

    def __init__(self, encoder: PreTrainedModel, intents: int, tags: int) -> None:
        """Put new heads on an encoder, which is trained with them; seed torch before."""
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        self.intent_head = nn.Linear(width, intents)
        self.slot_head = nn.Linear(width, tags)

    def forward(self, tokens: Tensor, mask: Tensor) -> Logits:
        """Return the logits of padded tokens (n, length) and their mask."""
        states = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        return Logits(self.intent_head(states[:, 0]), self.slot_head(states))


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the sum of both heads' mean cross-entropies; a head without any label adds nothing.

    Args:
        model: a `JointModel`, or one wrapped for several processes.
        batch: its input and its labels.
    """
    device = next(model.parameters()).device
    predicted = model(batch.tokens.to(device), batch.mask.to(device))
    parts = ((predicted.intents, batch.intents), (predicted.slots.flatten(0, 1), batch.slots.flatten()))
    total = torch.zeros((), device=device)
    for logits, labels in parts:
        if bool((labels != IGNORED).any()):
            total = total + functional.cross_entropy(logits, labels.to(device), ignore_index=IGNORED)
    return total


def load_encoder(source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Return an encoder without pooler, in float32 and evaluation mode, and its tokenizer.

    Any encoder of `transformers` is accepted that has a `last_hidden_state` and in which every token attends to all
    others. A tokenizer without a padding token gets one, with a warning; its maximum length is the encoder's.

    Args:
        source: a folder, or a name on the hub.

    Raises:
        DataError: it cannot be read or is no encoder, or its tokenizer does not return the word of each token.
    """
    name = repr(str(source))
    try:
        encoder, tokenizer = _loaded(source)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, ImportError) as error:
        raise DataError(
            f"the encoder {name} cannot be loaded: {error} Give a folder with config.json, weights and "
            "tokenizer.json, or the name of a model on the hub (which needs internet)."
        ) from error
    if not tokenizer.is_fast:
        raise DataError(
            f"the tokenizer of {name} is not a fast one: it cannot tell the word of each token. Put a tokenizer.json "
            "beside the weights, as save_pretrained of a fast tokenizer writes it."
        )
    _set_up(tokenizer, encoder, name)
    _check(encoder, tokenizer, name)
    return encoder, tokenizer


def _loaded(source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    config = AutoConfig.from_pretrained(source)
    if config.is_encoder_decoder:
        raise ValueError(f"{config.model_type} is an encoder with a decoder, but an encoder alone is needed.")
    if getattr(config, "reference_compile", False) is None:
        config.reference_compile = False  # else ModernBERT may compile itself, which takes minutes
    try:
        encoder = AutoModel.from_pretrained(source, config=config, add_pooling_layer=False)
    except TypeError:  # not every class has a pooler or can leave it out
        encoder = AutoModel.from_pretrained(source, config=config)
    return encoder.float().eval(), AutoTokenizer.from_pretrained(source)


def _set_up(tokenizer: PreTrainedTokenizerFast, encoder: PreTrainedModel, name: str) -> None:
    """Give a tokenizer a padding token if it has none, and the encoder's maximum length."""
    first = getattr(encoder.config, "pad_token_id", None) or 0
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(first)
        errors.warn(f"the tokenizer of {name} has no padding token; {tokenizer.pad_token!r} is used, and masked.")
    positions = getattr(encoder.config, "max_position_embeddings", None) or -1
    if positions > 0:
        # RoBERTa counts positions from its padding token's number + 1, MPNet from 2
        unused = first + 1 if first < _SPECIAL else 0
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions - max(2, unused))


def _check(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str) -> None:
    """Run an encoder on two texts that differ in the last token.

    Raises:
        DataError: it has no `last_hidden_state`, has fewer tokens than the tokenizer, or the first token does not
            attend to the last one, as in a decoder.
    """
    first, second, third = [token for token in range(4) if token != tokenizer.pad_token_id][:3]
    texts = torch.tensor([[first, second, second], [first, second, third]])
    try:
        rows = encoder.get_input_embeddings().weight.shape[0]
        with torch.inference_mode():
            states = encoder(input_ids=texts, attention_mask=torch.ones_like(texts)).last_hidden_state
        width = encoder.config.hidden_size
    except (AttributeError, TypeError, ValueError, RuntimeError, IndexError, KeyError) as error:
        raise DataError(
            f"{name} cannot be used as an encoder ({error}). Give one that returns a last_hidden_state, such as "
            "XLM-R, mDeBERTa, mmBERT or multilingual DistilBERT."
        ) from error
    if len(tokenizer) > rows:
        raise DataError(
            f"the tokenizer of {name} has {len(tokenizer)} tokens, the encoder's table only {rows} rows. "
            "Give the tokenizer that belongs to it."
        )
    if states.shape[-1] != width or torch.equal(states[0, 0], states[1, 0]):
        raise DataError(
            f"{name} is no encoder: its first token, which predicts the intent, does not attend to the last one. "
            "Give an encoder such as XLM-R, mDeBERTa, mmBERT or multilingual DistilBERT."
        )
