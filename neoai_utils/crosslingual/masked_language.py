"""Continued pretraining before the task: masked language modelling on unlabelled texts and on sentence pairs.

The encoder predicts masked tokens from their neighbours (Devlin et al., 1810.04805), on the kind of text that the task
is about (Gururangan et al. 2020, 2004.10964). A sentence and its translation side by side make a text of two languages,
in which a masked Russian token may be predicted from the English half: translation language modelling (Conneau and
Lample, 1901.07291). Under `accelerate launch` the processes share each batch, and each masks tokens of its own texts.
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
    from accelerate import Accelerator
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["can_continue_pretraining", "continue_pretraining"]

Text = str | tuple[str, str]
Collate = Callable[[list[dict[str, list[int]]]], "BatchEncoding"]
_MAX_LENGTH = 64  # tokens of a text


def can_continue_pretraining(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> bool:
    """Return whether the tokenizer has a mask token and `transformers` has a masked-language head for the encoder."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    return tokenizer.mask_token is not None and type(encoder.config) in MODEL_FOR_MASKED_LM_MAPPING


def continue_pretraining(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[Text],
    steps: int,
    seed: int,
    *,
    batch: int = 32,
    learning_rate: float = 5e-4,
    mask_probability: float = 0.15,
) -> tuple[PreTrainedModel, list[float]]:
    """Train a copy of an encoder to predict masked tokens.

    Args:
        encoder: one that `can_continue_pretraining`; its copy is trained with a new head, which is dropped afterwards.
        tokenizer: the encoder's, with a mask token.
        texts: single ones, or pairs that are read side by side.
        steps: updates.
        seed: of the order, the masked tokens and dropout.
        batch: texts in an update.
        learning_rate: the highest.
        mask_probability: share of the tokens to predict.

    Returns:
        The trained copy, in evaluation mode, and the loss of each step.

    Raises:
        ParameterError: there is no text, `mask_probability` is not between 0 and 1, or the encoder has no such head or
            its tokenizer no mask token.
    """
    from accelerate import Accelerator
    from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling, get_linear_schedule_with_warmup

    _check(encoder, tokenizer, texts, mask_probability)
    seed_everything(seed)
    model = AutoModelForMaskedLM.from_config(encoder.config).float()
    encoder = copy.deepcopy(encoder)
    setattr(model, model.base_model_prefix, encoder)
    model.tie_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
    accelerator = Accelerator()
    model, optimizer = accelerator.prepare(model, optimizer)  # not the schedule, which counts batches
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=mask_probability)
    rng = np.random.default_rng(seed)
    losses = []
    model.train()
    for _ in progress(range(steps), "pretraining"):
        drawn = [texts[index] for index in rng.choice(len(texts), min(batch, len(texts)), replace=False)]
        loss = model(**_masked_batch(accelerator, tokenizer, collate, drawn)).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(accelerator.reduce(loss.detach(), "mean").item())
    return encoder.eval(), losses


def _check(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[Text], mask_probability: float
) -> None:
    if not texts or not 0 < mask_probability < 1:
        raise ParameterError(
            "masked language modelling needs a text and 0 < mask_probability < 1, "
            f"got {len(texts)} and {mask_probability}."
        )
    if not can_continue_pretraining(encoder, tokenizer):
        raise ParameterError(
            f"a {encoder.config.model_type} with this tokenizer cannot predict masked tokens: it needs a mask token "
            "and a head for masked language modelling. Leave this step out, or use another encoder."
        )


def _masked_batch(
    accelerator: Accelerator, tokenizer: PreTrainedTokenizerFast, collate: Collate, texts: Sequence[Text]
) -> BatchEncoding:
    """Return this process's part of the texts, masked, on its device.

    Masking is repeated until at least one token is masked: a batch without any has no loss (it would be NaN).
    """
    rows = [_tokens(tokenizer, texts[row]) for row in own_rows(accelerator, len(texts))]
    while True:
        masked = collate(rows)
        if bool((masked["labels"] != IGNORED).any()):
            return masked.to(accelerator.device)


def _tokens(tokenizer: PreTrainedTokenizerFast, text: Text) -> dict[str, list[int]]:
    halves = (text,) if isinstance(text, str) else text
    encoded = tokenizer(*halves, truncation=True, max_length=min(_MAX_LENGTH, tokenizer.model_max_length))
    return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
