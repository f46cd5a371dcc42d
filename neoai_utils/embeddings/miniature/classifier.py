"""The classifier that a miniature breaks: MiniLM-L6, fine-tuned to three sentiment classes by low-rank updates (LoRA).

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021 (arXiv 2106.09685): each linear layer W of the
encoder becomes W + B A, B A of low rank. The word embeddings are frozen, so the table that is broken later is
MiniLM's own. Training takes minutes, so its result (under 2 MB) is committed; `python -m
neoai_utils.embeddings.miniature.classifier` makes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from neoai_utils import offline, storage
from neoai_utils.embeddings.miniature import sentences
from neoai_utils.runtime import fitting_torchao, pick_device, seed_everything
from neoai_utils.weights import Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STORE", "ClassifierRecipe", "fine_tune", "load", "save", "texts_and_classes"]

STORE = Store(Path(__file__).parent / "data", "classifier.json")
_PART = "classifier"


@dataclass(frozen=True)
class ClassifierRecipe:
    """Every constant that shapes the classifier (AdamW, linear warm-up and decay).

    Attributes:
        seed: of the split of texts, of the weights and of the batches.
        shown: texts of each genre that are kept for the miniatures and so never trained on.
        max_characters: of a text that a miniature shows.
        negative_below: ratings under it are negative.
        positive_above: ratings over it are positive.
        rank: inner size of a low-rank update.
        epochs: passes over the training texts.
        batch_size: texts in a step.
        learning_rate: the highest one, after the warm-up.
        weight_decay: of AdamW.
        warmup: share of the steps with a rising learning rate.
        max_length: tokens of a training text; longer ones are cut.
    """

    seed: int = 0
    shown: tuple[tuple[str, int], ...] = (("tweet", 2200), ("product", 1400), ("film", 700), ("editorial", 699))
    max_characters: int = 90
    negative_below: float = -0.5
    positive_above: float = 1.0
    rank: int = 16
    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_length: int = 40


def texts_and_classes(recipe: ClassifierRecipe) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (shown, rest): the texts for miniatures and those for training, with a column `class` (0, 1, 2)."""
    frame = sentences.load()
    frame["class"] = sentences.classes(frame["rating"].to_numpy(), recipe.negative_below, recipe.positive_above)
    return sentences.split(frame, recipe.shown, recipe.max_characters, recipe.seed)


def fine_tune(
    model: Any,
    tokenizer: Any,
    texts: list[str],
    labels: list[int],
    recipe: ClassifierRecipe,
    *,
    steps: int | None = None,
) -> list[float]:
    """Train low-rank updates, pooler and head of a BERT classifier in place; return the loss of every step.

    The rest of the model, the embeddings among it, stays as it is. Call `save` next.

    Args:
        model: a `BertForSequenceClassification`.
        tokenizer: its tokenizer.
        texts: the training texts.
        labels: their classes.
        recipe: the constants.
        steps: stop after so many steps (the learning rate still falls to zero by then); None: all epochs.
    """
    device = pick_device(quiet=True)
    _add_adapters(model, recipe.rank)
    for parameter in [*model.bert.pooler.parameters(), *model.classifier.parameters()]:
        parameter.requires_grad_(True)
    model.to(device).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    batches = _batches(tokenizer(texts, truncation=True, max_length=recipe.max_length)["input_ids"], recipe)
    total = steps or recipe.epochs * len(batches[0])
    optimizer = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (recipe.warmup * total), 1.0) * (1 - step / total)
    )
    target, losses = torch.tensor(labels), []
    for rows in [rows for epoch in batches for rows in epoch][:total]:
        inputs = tokenizer([texts[i] for i in rows], truncation=True, max_length=recipe.max_length, padding=True,
                           return_tensors="pt").to(device)  # fmt: skip
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = model(**inputs).logits
        loss = nn.functional.cross_entropy(logits.float(), target[rows].to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    model.eval().cpu()
    return losses


def _add_adapters(model: Any, rank: int) -> None:
    """Freeze the model and add a low-rank adapter W + B A to each linear layer of the encoder, B being 0."""
    with fitting_torchao():
        from peft import LoraConfig, inject_adapter_in_model

        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(_linears(model))), model)
    for name, values in model.named_parameters():
        if ".lora_A." in name:  # the recipe's scale; peft's own is smaller by the root of 3
            nn.init.normal_(values, std=values.shape[1] ** -0.5)


def _batches(token_ids: list[list[int]], recipe: ClassifierRecipe) -> list[list[list[int]]]:
    """Return the batches (row numbers) of every epoch: shuffled, then texts of similar length together."""
    rng = np.random.default_rng(recipe.seed)
    length = np.array([len(ids) for ids in token_ids])
    epochs = []
    for _ in range(recipe.epochs):
        order = rng.permutation(len(token_ids))
        pools = np.array_split(order, max(1, len(order) // (32 * recipe.batch_size)))
        rows = np.concatenate([pool[np.argsort(length[pool], kind="stable")] for pool in pools]).tolist()
        groups = [rows[i : i + recipe.batch_size] for i in range(0, len(rows), recipe.batch_size)]
        epochs.append([groups[i] for i in rng.permutation(len(groups))])
    return epochs


def _linears(model: Any) -> dict[str, nn.Linear]:
    """Return the linear layers of the encoder by name."""
    return {
        name: layer
        for name, layer in model.named_modules()
        if name.startswith("bert.encoder") and isinstance(layer, nn.Linear)
    }


def save(model: Any, recipe: ClassifierRecipe, losses: list[float], store: Store = STORE) -> None:
    """Write what `fine_tune` changed, and recipe, checksums and losses into the manifest."""
    changed = {
        name.replace("lora_A.default.weight", "a").replace("lora_B.default.weight", "b"): values
        for name, values in model.state_dict().items()
        if ".lora_" in name or name.startswith(("bert.pooler.", "classifier."))
    }
    store.save(
        _PART, changed, recipe, sentences_sha256=storage.sha256_of(sentences.FILE), steps=len(losses),
        loss_first_50=float(np.mean(losses[:50])), loss_last_50=float(np.mean(losses[-50:])),
        licence="MIT; see README.md", made_by="python -m neoai_utils.embeddings.miniature.classifier",
    )  # fmt: skip


def load(store: Store = STORE) -> tuple[Any, Any]:
    """Return (model, tokenizer): MiniLM-L6 with the committed updates merged in, in evaluation mode.

    Raises:
        AssetError: MiniLM cannot be fetched, or the committed weights are not the ones of their manifest.
    """
    state = store.load(_PART)
    model, tokenizer = _untrained()
    with torch.no_grad():
        for name, layer in _linears(model).items():
            layer.weight += state.pop(f"{name}.b") @ state.pop(f"{name}.a")
    model.load_state_dict(state, strict=False)
    return model.eval(), tokenizer


def _untrained() -> tuple[Any, Any]:
    """Return MiniLM-L6 with a fresh three-class head, and its tokenizer."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()  # the report that the head is new is expected
    try:
        folder = offline.fetch("minilm-l6")
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3)
        return model, AutoTokenizer.from_pretrained(folder)
    finally:
        logging.set_verbosity(level)


if __name__ == "__main__":
    constants = ClassifierRecipe()
    _, rest = texts_and_classes(constants)
    seed_everything(constants.seed)
    body, words = _untrained()
    save(body, constants, fine_tune(body, words, rest["text"].tolist(), rest["class"].tolist(), constants))
