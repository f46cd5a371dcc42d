"""The classifier that a miniature breaks: MiniLM-L6 taught three sentiment classes by low-rank changes (LoRA).

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021 (arXiv 2106.09685): each linear layer W of the
encoder becomes W + B A with a thin B A. The word embeddings are not touched, so the table that is broken later is
MiniLM's own. Training takes minutes, so its result (under 2 MB) is committed; `python -m
neoai_utils.embeddings.miniature.classifier` makes it again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from neoai_utils import offline, storage
from neoai_utils.embeddings.miniature import sentences
from neoai_utils.errors import AssetError
from neoai_utils.runtime import pick_device, seed_everything

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RECORD", "WEIGHTS", "Training", "fine_tune", "load", "recipe_hash", "save", "texts_and_classes"]

WEIGHTS = Path(__file__).parent / "data" / "classifier.safetensors"
RECORD = WEIGHTS.with_suffix(".json")


@dataclass(frozen=True)
class Training:
    """Every constant that shapes the classifier (AdamW, linear warm-up and decay).

    Attributes:
        shown: texts of each genre that are kept for the miniatures and so never trained on.
        longest: characters of the longest text that a miniature shows.
        below: ratings under it are negative.
        above: ratings over it are positive.
        rank: inner size of a low-rank change.
    """

    seed: int = 0
    shown: tuple[tuple[str, int], ...] = (("tweet", 2200), ("product", 1400), ("film", 700), ("editorial", 699))
    longest: int = 90
    below: float = -0.5
    above: float = 1.0
    rank: int = 16
    epochs: int = 1
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    tokens: int = 40


class LowRank(nn.Module):
    """W -> W + B A, with B = 0 at the start, so that training starts from the given model."""

    def __init__(self, weight: torch.Tensor, rank: int) -> None:
        """Make A (rank, inputs) random and B (outputs, rank) zero for a weight (outputs, inputs)."""
        super().__init__()
        self.a = nn.Parameter(torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the changed weight."""
        return weight + self.b @ self.a


def texts_and_classes(training: Training) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (shown, rest): the texts for miniatures and those for training, with a column `class` (0, 1, 2)."""
    frame = sentences.load()
    frame["class"] = sentences.classes(frame["rating"].to_numpy(), training.below, training.above)
    return sentences.split(frame, training.shown, training.longest, training.seed)


def fine_tune(
    model: Any, tokenizer: Any, texts: list[str], labels: list[int], training: Training, *, steps: int | None = None
) -> list[float]:
    """Train low-rank changes, pooler and head of a BERT classifier in place; return the loss of every step.

    The rest of the model, the embeddings among it, stays as it is. Call `save` next.

    Args:
        model: a `BertForSequenceClassification`.
        tokenizer: its tokenizer.
        texts: the training texts.
        labels: their classes.
        training: the recipe.
        steps: stop after so many steps (the learning rate still falls to zero by then); None: all epochs.
    """
    device = pick_device(quiet=True)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for layer in _linears(model).values():
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, training.rank))
    for parameter in [*model.bert.pooler.parameters(), *model.classifier.parameters()]:
        parameter.requires_grad_(True)
    model.to(device).train()
    chosen = [p for p in model.parameters() if p.requires_grad]
    batches = _batches(tokenizer(texts, truncation=True, max_length=training.tokens)["input_ids"], training)
    total = steps or training.epochs * len(batches[0])
    optimiser = torch.optim.AdamW(chosen, lr=training.learning_rate, weight_decay=training.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (training.warmup * total), 1.0) * (1 - step / total)
    )
    target, losses = torch.tensor(labels), []
    for rows in [rows for epoch in batches for rows in epoch][:total]:
        inputs = tokenizer([texts[i] for i in rows], truncation=True, max_length=training.tokens, padding=True,
                           return_tensors="pt").to(device)  # fmt: skip
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = model(**inputs).logits
        loss = nn.functional.cross_entropy(logits.float(), target[rows].to(device))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(chosen, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    model.eval().cpu()
    return losses


def _batches(pieces: list[list[int]], training: Training) -> list[list[list[int]]]:
    """Return the batches (row numbers) of every epoch: shuffled, then texts of like length together."""
    rng = np.random.default_rng(training.seed)
    length = np.array([len(p) for p in pieces])
    epochs = []
    for _ in range(training.epochs):
        order = rng.permutation(len(pieces))
        pools = np.array_split(order, max(1, len(order) // (32 * training.batch)))
        rows = np.concatenate([pool[np.argsort(length[pool], kind="stable")] for pool in pools]).tolist()
        groups = [rows[i : i + training.batch] for i in range(0, len(rows), training.batch)]
        epochs.append([groups[i] for i in rng.permutation(len(groups))])
    return epochs


def _linears(model: Any) -> dict[str, nn.Linear]:
    """Return the linear layers of the encoder by name."""
    return {
        name: layer
        for name, layer in model.named_modules()
        if name.startswith("bert.encoder") and isinstance(layer, nn.Linear)
    }


def save(model: Any, training: Training, losses: list[float], weights: Path = WEIGHTS) -> None:
    """Write what `fine_tune` changed as 16-bit floats, and the record (.json) with recipe and checksums beside it."""
    from safetensors.torch import save_file

    state = model.state_dict()
    changed = {
        name.replace(".parametrizations.weight.0.", "."): tensor.half().contiguous()
        for name, tensor in state.items()
        if ".parametrizations.weight.0." in name or name.startswith(("bert.pooler.", "classifier."))
    }
    save_file(changed, weights)
    record = {
        "recipe": asdict(training),
        "recipe_sha256": recipe_hash(training),
        "sentences_sha256": storage.sha256_of(sentences.FILE),
        "weights_sha256": storage.sha256_of(weights),
        "steps": len(losses),
        "loss_first_50": float(np.mean(losses[:50])),
        "loss_last_50": float(np.mean(losses[-50:])),
    }
    weights.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def recipe_hash(training: Training) -> str:
    """Return the SHA-256 of the recipe's constants."""
    return hashlib.sha256(json.dumps(asdict(training), sort_keys=True).encode()).hexdigest()


def load() -> tuple[Any, Any]:
    """Return (model, tokenizer): MiniLM-L6 with the committed changes merged in, in evaluation mode.

    Raises:
        AssetError: MiniLM cannot be fetched, or the committed weights are not the ones of their record.
    """
    from safetensors.torch import load_file

    if json.loads(RECORD.read_text(encoding="utf-8"))["weights_sha256"] != storage.sha256_of(WEIGHTS):
        raise AssetError(f"{WEIGHTS} is damaged: its checksum is not the one in {RECORD.name}. Install neoai again.")
    model, tokenizer = _untrained()
    changed = {name: tensor.float() for name, tensor in load_file(WEIGHTS).items()}
    with torch.no_grad():
        for name, layer in _linears(model).items():
            layer.weight += changed.pop(f"{name}.b") @ changed.pop(f"{name}.a")
    model.load_state_dict(changed, strict=False)
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
    recipe = Training()
    _, rest = texts_and_classes(recipe)
    seed_everything(recipe.seed)
    body, words = _untrained()
    save(body, recipe, fine_tune(body, words, rest["text"].tolist(), rest["class"].tolist(), recipe))
