"""The cross-entropy of the tokens of texts under a causal language model, and the perplexity of continuations.

The logits are the largest tensor of the task: 128 tokens of one text have 33 million in a vocabulary of 256,000, and
their cross-entropy takes several copies. Callers therefore cut a batch so that it fits into memory (`memory.slices`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from neoai_utils.runtime import refuse_nan
from neoai_utils.steering.generation import Writer, batches, encode
from neoai_utils.steering.memory import block_bytes, logit_bytes, slices
from neoai_utils.steering.precision import retried

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["continuation_mask", "perplexity", "text_bytes", "token_losses"]


@retried
@torch.inference_mode()
def perplexity(writer: Writer, prompts: Sequence[str], texts: Sequence[str], batch: int = 32) -> float:
    """Return the perplexity of the continuations given their prompts: exp of the mean cross-entropy of their tokens.

    Args:
        writer: the unsteered one.
        prompts: (n).
        texts: (n) prompts with their continuations.
        batch: texts at a time, at most.

    Raises:
        ValueError: no text continues after its prompt.
        NotANumberError: the model's output is NaN.
    """
    total, count = 0.0, 0
    for indices in batches(texts, batch):
        ids, mask = encode(writer, [texts[i] for i in indices], side="right")
        continued, first = continuation_mask(writer, [prompts[i] for i in indices], mask)
        for part in slices(len(ids), text_bytes(writer.model, ids.shape[1], first)):
            losses = token_losses(writer, ids[part], mask[part], first)
            refuse_nan(losses, "the words' perplexity", writer.model.dtype)
            total += float(losses[continued[part, first:]].sum())
        count += int(continued.sum())
    if not count:
        raise ValueError("no text continues after its prompt: there is no token whose perplexity could be taken")
    return float(np.exp(total / count))


def token_losses(writer: Writer, ids: Tensor, mask: Tensor, first: int) -> Tensor:
    """Return the cross-entropy of each token from column `first` on, (texts, length - first) float32.

    Args:
        writer: the model.
        ids: (texts, length), padded on the right.
        mask: (texts, length).
        first: at least 1.
    """
    keep = ids.shape[1] - first + 1
    output = writer.model(ids, attention_mask=mask, use_cache=False, logits_to_keep=keep)
    logits = output.logits[:, :-1].float()
    del output  # the logits in half precision
    losses = functional.cross_entropy(logits.flatten(0, 1), ids[:, first:].flatten(), reduction="none")
    return losses.view(len(ids), ids.shape[1] - first)


def text_bytes(model: PreTrainedModel, length: int, first: int, *, trained_blocks: int = 0) -> int:
    """Return the bytes that `token_losses` takes for each text.

    Args:
        model: the writer's.
        length: tokens of a text.
        first: the first column whose loss is taken.
        trained_blocks: the blocks whose tensors are kept for the gradients.
    """
    logits = (length - first + 1) * logit_bytes(model, trained=trained_blocks > 0)
    return logits + max(1, trained_blocks) * length * block_bytes(model, length)


def continuation_mask(writer: Writer, prompts: Sequence[str], mask: Tensor) -> tuple[Tensor, int]:
    """Return which tokens of encoded texts follow the prompt, and the first column that holds one.

    Args:
        writer: its tokenizer is used.
        prompts: (texts), the beginnings of the texts.
        mask: (texts, length) of the texts, padded on the right.

    Returns:
        (texts, length) bool; and the first column, at least 1, from which on losses are needed.
    """
    starts = [len(writer.tokenizer.encode(prompt, add_special_tokens=writer.add_special_tokens)) for prompt in prompts]
    column = torch.arange(mask.shape[1], device=mask.device)
    continued = (mask == 1) & (column >= torch.tensor(starts, device=mask.device)[:, None])
    return continued, max(1, min(*starts, mask.shape[1] - 1))  # a text that was cut may end before its prompt does
