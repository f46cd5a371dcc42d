"""Small CLIP models, trained from random weights for the miniatures of tasks 6 and 7.

They are real `transformers.CLIPModel`s with CLIP's kind of tokenizer and CLIP's contrastive loss (Radford et al. 2021,
2103.00020). Equal captions share the target. For speed, all epochs except the last may use only a part of a picture's
tokens (Li et al. 2022, 2212.00794).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from neoai_utils.hooks import hooked

if TYPE_CHECKING:
    from transformers import CLIPModel, PreTrainedTokenizerBase

__all__ = ["CLIP_MEAN", "CLIP_STD", "contrastive_loss", "load_tokenizer", "make_model", "make_tokenizer", "train"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # of OpenAI's CLIP, as is the next
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_START, _END = "<|startoftext|>", "<|endoftext|>"


def make_tokenizer(
    captions: Sequence[str], folder: Path, length: int, vocabulary: int = 400
) -> PreTrainedTokenizerBase:  # fmt: skip
    """Train CLIP's kind of byte-pair tokenizer on the captions; write `vocab.json` and `merges.txt` into `folder`.

    Args:
        captions: any number of texts.
        folder: created if missing.
        length: tokens of the longest text, start and end included.
        vocabulary: number of tokens.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=_END))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, end_of_word_suffix="</w>", special_tokens=[_START, _END], show_progress=False
    )
    tokenizer.train_from_iterator(sorted(set(captions)), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], indent=0), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    return load_tokenizer(folder, length)


def load_tokenizer(folder: Path, length: int) -> PreTrainedTokenizerBase:
    """Add the tokenizer's settings to a folder of `vocab.json` and `merges.txt`, and return the tokenizer."""
    from transformers import CLIPTokenizer

    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length, "bos_token": _START}
    settings |= dict.fromkeys(("eos_token", "unk_token", "pad_token"), _END)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    tokenizer: PreTrainedTokenizerBase = CLIPTokenizer.from_pretrained(folder)
    return tokenizer


def make_model(
    *,
    vocabulary: int,
    length: int,
    text: tuple[int, int],
    vision: tuple[int, int],
    side: int,
    patch: int,
    shared: int,
    heads: int = 4,
    seed: int = 0,
) -> CLIPModel:
    """Make an untrained `CLIPModel`, its weights drawn from a seed.

    Args:
        vocabulary: number of the tokenizer's tokens.
        length: tokens of the longest text.
        text: width and number of blocks of the text tower.
        vision: width and number of blocks of the vision tower.
        side: pixels along a picture's side.
        patch: pixels along a patch's side.
        shared: width of the space that both towers project to.
        heads: attention heads of either tower.
        seed: of the weights.
    """
    from transformers import CLIPConfig, CLIPModel

    towers = [
        {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": n, "num_attention_heads": heads}
        for width, n in (text, vision)
    ]
    towers[0] |= {
        "vocab_size": vocabulary, "max_position_embeddings": length,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    }  # fmt: skip
    towers[1] |= {"image_size": side, "patch_size": patch}
    torch.manual_seed(seed)
    return CLIPModel(CLIPConfig(text_config=towers[0], vision_config=towers[1], projection_dim=shared))


def contrastive_loss(logits: Tensor, group: Tensor) -> Tensor:
    """Return CLIP's symmetric cross-entropy with shared targets.

    Args:
        logits: (batch, batch) similarities, pictures by captions.
        group: (batch,) numbers; equal captions have equal numbers and share the target.
    """
    same = (group[:, None] == group[None, :]).float()
    target = same / same.sum(dim=1, keepdim=True)
    pictures = -(target * functional.log_softmax(logits, dim=1)).sum(dim=1).mean()
    captions = -(target * functional.log_softmax(logits.T, dim=1)).sum(dim=1).mean()
    return (pictures + captions) / 2


class _TokenDropper:
    """A forward hook that keeps a random part of the patch tokens, another one at each call (2212.00794)."""

    def __init__(self, shown: int) -> None:
        self.shown = shown

    def __call__(self, _module: torch.nn.Module, _inputs: Any, tokens: Tensor) -> Tensor:
        number = tokens.shape[1] - 1
        if self.shown >= number:
            return tokens
        indices = torch.rand(len(tokens), number, device=tokens.device).argsort(dim=1)[:, : self.shown] + 1
        indices = torch.cat([indices.new_zeros(len(tokens), 1), indices], dim=1)
        return tokens.gather(1, indices[..., None].expand(-1, -1, tokens.shape[-1]))


def train(
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerBase,
    pixels: Tensor,
    captions: Sequence[str],
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    weight_decay: float,
    shown_tokens: int,
    seed: int,
) -> list[float]:
    """Train in place, on the model's device, with AdamW and a one-cycle learning rate; return each epoch's mean loss.

    Args:
        model: as `make_model` makes it.
        tokenizer: as `make_tokenizer` makes it.
        pixels: (pictures, 3, side, side) uint8.
        captions: one for each picture.
        epochs: passes over all pictures.
        batch: pictures in a step.
        learning_rate: the highest.
        weight_decay: of AdamW.
        shown_tokens: how many of a picture's tokens are used in all epochs except the last.
        seed: of order, mirror images and the tokens used.
    """
    device = model.device
    examples = _Examples(pixels.to(device), tokenizer, captions)
    dropper = _TokenDropper(shown_tokens)
    per_epoch = len(pixels) // batch
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=epochs * per_epoch)
    torch.manual_seed(seed)
    model.train()
    losses = []
    with hooked({model.vision_model.embeddings: dropper}):
        for epoch in range(epochs):
            if epoch == epochs - 1:
                dropper.shown = 10**9
            total = torch.zeros((), device=device)
            for rows in torch.randperm(len(pixels), device=device)[: per_epoch * batch].view(-1, batch):
                loss = examples.loss(model, rows)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                total += loss.detach()
            losses.append(float(total) / per_epoch)
    model.eval()
    return losses


class _Examples:
    """Pictures and captions on one device, ready for training steps."""

    def __init__(self, pixels: Tensor, tokenizer: PreTrainedTokenizerBase, captions: Sequence[str]) -> None:
        device = pixels.device
        self.pixels = pixels
        self.mean, self.std = (torch.tensor(v, device=device).view(3, 1, 1) * 255 for v in (CLIP_MEAN, CLIP_STD))
        self.tokens = tokenizer(
            list(captions), padding="max_length", truncation=True, max_length=tokenizer.model_max_length,
            return_tensors="pt",
        ).to(device)  # fmt: skip
        numbers = {caption: index for index, caption in enumerate(sorted(set(captions)))}
        self.group = torch.tensor([numbers[caption] for caption in captions], device=device)

    def loss(self, model: CLIPModel, rows: Tensor) -> Tensor:
        """Return the loss of some rows; half of the batches are mirrored."""
        pixels = (self.pixels[rows].float() - self.mean) / self.std
        pixels = pixels.flip(3) if torch.rand(()) < 0.5 else pixels
        ids, mask = self.tokens["input_ids"][rows], self.tokens["attention_mask"][rows]
        output = model(input_ids=ids, attention_mask=mask, pixel_values=pixels)
        return contrastive_loss(output.logits_per_image, self.group[rows])
