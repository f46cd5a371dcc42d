"""Continued pretraining before the task: masked language modelling on unlabelled texts and on sentence pairs.

The encoder predicts masked tokens from their neighbours (Devlin et al., 1810.04805), on the kind of text that the task
is about (Gururangan et al. 2020, 2004.10964). A sentence and its translation side by side make a text of two languages,
in which a masked Russian token may be predicted from the English half: translation language modelling (Conneau and
Lample, 1901.07291). Under `accelerate launch` the processes share each batch, and each masks tokens of its own texts.

The scores of all tokens of the vocabulary need most of the memory: those of 32 texts of 64 tokens and XLM-R's 250,002
tokens take 2 GB in float32, three times as much with the softmax and its gradient. With the model's 4.4 GB and the
states' 1.5 GB that is 12 GB at most.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from neoai_utils.crosslingual.encoding import IGNORED
from neoai_utils.crosslingual.precision import Updates, in_float32_if_nan, new_accelerator
from neoai_utils.errors import ParameterError
from neoai_utils.number_formats import fast_dtype
from neoai_utils.runtime import own_rows, pick_device, progress, seed_everything

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
        The trained copy, on the CPU and in evaluation mode, and the loss of each step.

    Raises:
        ParameterError: there is no text, `mask_probability` is not between 0 and 1, or the encoder has no such head or
            its tokenizer no mask token.
        NotANumberError: the loss is NaN, in float32 too.
    """
    _check(encoder, tokenizer, texts, mask_probability)

    def train(dtype: torch.dtype) -> tuple[PreTrainedModel, list[float]]:
        return _pretrained(
            encoder, tokenizer, texts, steps, seed, dtype=dtype, batch=batch, learning_rate=learning_rate,
            mask_probability=mask_probability,
        )  # fmt: skip

    return in_float32_if_nan(train, fast_dtype(pick_device(quiet=True)))


def _pretrained(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[Text],
    steps: int,
    seed: int,
    *,
    dtype: torch.dtype,
    batch: int,
    learning_rate: float,
    mask_probability: float,
) -> tuple[PreTrainedModel, list[float]]:
    """Return `continue_pretraining`'s results; the products were computed in a number format."""
    from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling, get_linear_schedule_with_warmup

    seed_everything(seed)
    model = AutoModelForMaskedLM.from_config(encoder.config).float()
    encoder = copy.deepcopy(encoder)
    setattr(model, model.base_model_prefix, encoder)
    model.tie_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
    accelerator = new_accelerator()
    model, optimizer = accelerator.prepare(model, optimizer)  # not the schedule, which counts batches
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=mask_probability)
    updates = Updates(accelerator, dtype, max_norm=1.0)
    rng = np.random.default_rng(seed)
    losses = []
    model.train()
    for step in progress(range(1, steps + 1), "pretraining"):
        drawn = [texts[index] for index in rng.choice(len(texts), min(batch, len(texts)), replace=False)]
        inputs = _masked_batch(accelerator, tokenizer, collate, drawn)
        with updates.autocast():
            loss = model(**inputs).loss
        updates.step(loss, model, optimizer, last=step == steps)
        schedule.step()
        losses.append(accelerator.reduce(loss.detach(), "mean").item())
    accelerator.free_memory()
    return encoder.to("cpu").eval(), losses


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
