"""Small CLIP models, trained from nothing: the stand-ins of the miniatures of tasks 6 and 7.

They are real `transformers.CLIPModel`s with CLIP's own kind of tokenizer, trained the original's way: a picture and its
caption attract, all other captions of the batch repel (Radford et al. 2021, 2103.00020). Captions that say the same
share the target. For speed, all epochs but the last may show only a part of a picture's tokens (Li et al. 2022,
2212.00794).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

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
        folder: made if missing.
        length: tokens of the longest text, start and end included.
        vocabulary: number of pieces.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    pieces = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=_END))
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, end_of_word_suffix="</w>", special_tokens=[_START, _END], show_progress=False
    )
    pieces.train_from_iterator(sorted(set(captions)), trainer)
    model = json.loads(pieces.to_str())["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], indent=0), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    return load_tokenizer(folder, length)


def load_tokenizer(folder: Path, length: int) -> PreTrainedTokenizerBase:
    """Complete a folder of `vocab.json` and `merges.txt` by its settings, and return the tokenizer."""
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
        vocabulary: number of the tokenizer's pieces.
        length: tokens of the longest text.
        text: width and number of blocks of the text half.
        vision: the same of the half that sees.
        side: pixels along a picture's side.
        patch: pixels along a patch's side.
        shared: width of the space that both halves project to.
        heads: attention heads of either half.
        seed: of the weights.
    """
    from transformers import CLIPConfig, CLIPModel

    halves = [
        {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": n, "num_attention_heads": heads}
        for width, n in (text, vision)
    ]
    halves[0] |= {
        "vocab_size": vocabulary, "max_position_embeddings": length,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    }  # fmt: skip
    halves[1] |= {"image_size": side, "patch_size": patch}
    torch.manual_seed(seed)
    return CLIPModel(CLIPConfig(text_config=halves[0], vision_config=halves[1], projection_dim=shared))


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
    """A forward hook that lets only some of the picture's tokens pass, others each time (2212.00794)."""

    def __init__(self, shown: int) -> None:
        self.shown = shown

    def __call__(self, _module: torch.nn.Module, _inputs: Any, tokens: Tensor) -> Tensor:
        number = tokens.shape[1] - 1
        if self.shown >= number:
            return tokens
        chosen = torch.rand(len(tokens), number, device=tokens.device).argsort(dim=1)[:, : self.shown] + 1
        chosen = torch.cat([chosen.new_zeros(len(tokens), 1), chosen], dim=1)
        return tokens.gather(1, chosen[..., None].expand(-1, -1, tokens.shape[-1]))


def train(
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerBase,
    pixels: Tensor,
    captions: Sequence[str],
    *,
    epochs: int,
    batch: int,
    rate: float,
    decay: float,
    shown_tokens: int,
    seed: int,
) -> list[float]:
    """Train in place, where the model is, with AdamW and a one-cycle rate; return the mean loss of every epoch.

    Args:
        model: as `make_model` makes it.
        tokenizer: as `make_tokenizer` makes it.
        pixels: (pictures, 3, side, side) uint8.
        captions: one for each picture.
        epochs: passes over all pictures.
        batch: pictures in a step.
        rate: highest learning rate.
        decay: of the weights.
        shown_tokens: how many of a picture's tokens are seen in all epochs but the last.
        seed: of order, mirror images and tokens seen.
    """
    device = model.device
    pixels = pixels.to(device)
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) * 255 for values in (CLIP_MEAN, CLIP_STD))
    words = tokenizer(
        list(captions), padding="max_length", truncation=True, max_length=tokenizer.model_max_length,
        return_tensors="pt",
    ).to(device)  # fmt: skip
    numbers = {caption: index for index, caption in enumerate(sorted(set(captions)))}
    group = torch.tensor([numbers[caption] for caption in captions], device=device)
    dropper = _TokenDropper(shown_tokens)
    handle = model.vision_model.embeddings.register_forward_hook(dropper)
    per_epoch = len(pixels) // batch
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * per_epoch)
    torch.manual_seed(seed)
    model.train()
    losses = []
    for epoch in range(epochs):
        if epoch == epochs - 1:
            dropper.shown = 10**9
        total = torch.zeros((), device=device)
        for rows in torch.randperm(len(pixels), device=device)[: per_epoch * batch].view(-1, batch):
            seen = (pixels[rows].float() - mean) / std
            seen = seen.flip(3) if torch.rand(()) < 0.5 else seen
            output = model(
                input_ids=words["input_ids"][rows], attention_mask=words["attention_mask"][rows], pixel_values=seen
            )
            loss = contrastive_loss(output.logits_per_image, group[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.detach()
        losses.append(float(total) / per_epoch)
    handle.remove()
    model.eval()
    return losses
