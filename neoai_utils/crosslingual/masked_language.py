"""More reading before the task: masked language modelling on unlabelled texts and on sentence pairs.

The encoder guesses hidden pieces from their neighbours (Devlin et al., 1810.04805), on the very kind of text that the
task is about (Gururangan et al. 2020, 2004.10964). A sentence and its translation side by side make a text of two
languages, in which a hidden Russian piece may be read off the English half: translation language modelling (Lample and
Conneau, 1901.07291). Under `accelerate launch` the processes share each batch, and each hides pieces of its own texts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from neoai_utils.crosslingual.encoding import IGNORED
from neoai_utils.errors import ParameterError
from neoai_utils.runtime import own_rows, progress, seed_everything

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["can_read", "read_on"]

Text = str | tuple[str, str]


def can_read(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> bool:
    """Return whether pieces can be hidden (there is a mask piece) and guessed (`transformers` has a head for it)."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    return tokenizer.mask_token is not None and type(encoder.config) in MODEL_FOR_MASKED_LM_MAPPING


def read_on(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[Text],
    steps: int,
    seed: int,
    *,
    batch: int = 32,
    rate: float = 5e-4,
    hidden: float = 0.15,
    longest: int = 64,
) -> tuple[PreTrainedModel, list[float]]:
    """Return an encoder that has learnt to guess hidden pieces, in evaluation mode, and the loss of each step.

    Args:
        encoder: one that `can_read`. A copy of it is trained, with a fresh head, which is dropped afterwards.
        tokenizer: the encoder's, with a mask piece.
        texts: single ones, or pairs to be read side by side.
        steps: updates.
        seed: of the order, the hidden pieces and dropout.
        batch: texts in an update.
        rate: the highest learning rate.
        hidden: share of the pieces to guess.
        longest: pieces of a text at most.

    Raises:
        ParameterError: there is no text, `hidden` is not between 0 and 1, or the encoder has no such head or mask.
    """
    from accelerate import Accelerator
    from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling, get_linear_schedule_with_warmup

    if not texts or not 0 < hidden < 1:
        raise ParameterError(
            f"masked language modelling needs a text and 0 < hidden < 1, got {len(texts)} and {hidden}."
        )
    if not can_read(encoder, tokenizer):
        raise ParameterError(
            f"a {encoder.config.model_type} with this tokenizer cannot guess hidden pieces: it needs a mask piece and "
            "a head for masked language modelling. Leave this step out, or take another encoder."
        )
    seed_everything(seed)
    model = AutoModelForMaskedLM.from_config(encoder.config).float()
    encoder = copy.deepcopy(encoder)
    setattr(model, model.base_model_prefix, encoder)
    model.tie_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
    accelerator = Accelerator()
    model, optimizer = accelerator.prepare(model, optimizer)  # not the schedule, which counts batches
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=hidden)
    random = np.random.default_rng(seed)
    losses = []
    model.train()
    for _ in progress(range(steps), "reading"):
        chosen = [texts[place] for place in random.choice(len(texts), min(batch, len(texts)), replace=False)]
        pieces = [_pieces(tokenizer, chosen[row], longest) for row in own_rows(accelerator, len(chosen))]
        loss = model(**_hidden(collate, pieces).to(accelerator.device)).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(accelerator.reduce(loss.detach(), "mean").item())
    return encoder.eval(), losses


def _hidden(
    collate: Callable[[list[dict[str, list[int]]]], BatchEncoding], pieces: list[dict[str, list[int]]]
) -> BatchEncoding:
    """Hide pieces until at least one is hidden: a batch without any has no loss (it would be NaN)."""
    while True:
        found = collate(pieces)
        if bool((found["labels"] != IGNORED).any()):
            return found


def _pieces(tokenizer: PreTrainedTokenizerFast, text: Text, longest: int) -> dict[str, list[int]]:
    halves = (text,) if isinstance(text, str) else text
    found = tokenizer(*halves, truncation=True, max_length=min(longest, tokenizer.model_max_length))
    return {"input_ids": found["input_ids"], "attention_mask": found["attention_mask"]}
