"""The judge: a CLIP that picks the text that fits a picture best, as the competition's own scoring does.

The competition's, ViT-H-14, has 986 million weights, 3.9 GB in float32. It waits in the host's memory and is on the GPU
only while it judges, so that drawing has the GPU's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from neoai_utils import clips
from neoai_utils.arrays import Integers, Mask
from neoai_utils.diffusion.metric import Kind, texts_for
from neoai_utils.runtime import progress, refuse_nan

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Judge", "correct", "load_judge", "open_clip_judge", "open_judge"]

Judge = Callable[[Sequence["Image"], Sequence[Sequence[str]]], Integers]
"""(n pictures, n lists of texts) -> (n,) int64, for each picture the index of its best text."""


def open_judge(name: str, given: Path | None, device: str = "cpu") -> Judge | None:
    """Return the judge that a parameter names.

    Args:
        name: "given" for the miniature's judge, or the competition's where there is none; a folder or hub name of a
            `CLIPModel`; "open_clip:<model>/<weights>"; empty for no judge.
        given: folder of the miniature's judge.
        device: device to judge on.

    Raises:
        AssetError: there is no such judge, or it cannot be downloaded.
    """
    if not name:
        return None
    if name.startswith("open_clip:"):
        return open_clip_judge(*name.removeprefix("open_clip:").partition("/")[::2], device)
    if name != "given":
        return load_judge(name, device)
    return open_clip_judge(device=device) if given is None else load_judge(given, device)


def load_judge(source: str | Path, device: str = "cpu") -> Judge:
    """Return a judge from a `CLIPModel` and its `CLIPTokenizer`: a folder, or a name on the hub.

    Args:
        source: the folder or the name.
        device: device to judge on.

    Raises:
        AssetError: there is no such model.
    """
    from torchvision.transforms import functional as pixels

    from neoai_utils.small_clip import CLIP_MEAN, CLIP_STD

    model, tokenizer = clips.load(source, "judge")
    side = model.config.vision_config.image_size

    def judge(pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> Integers:
        inputs = torch.stack(
            [pixels.normalize(pixels.to_tensor(p.resize((side, side))), CLIP_MEAN, CLIP_STD) for p in pictures]
        )
        distinct = sorted({text for line in texts for text in line})
        tokens = tokenizer(distinct, padding=True, truncation=True, return_tensors="pt")
        with _visiting(model, device), torch.inference_mode():
            tokens = tokens.to(device)
            parts = progress(torch.split(inputs, 64), "judging")
            logits = [model(pixel_values=part.to(device), **tokens).logits_per_image for part in parts]
            return _best_texts(torch.cat(logits), distinct, texts)

    return judge


def open_clip_judge(name: str = "ViT-H-14", weights: str = "laion2b_s32b_b79k", device: str = "cpu") -> Judge:
    """Return the competition's judge, or another model of open_clip's list.

    Args:
        name: open_clip's name of the architecture.
        weights: open_clip's tag of the weights, a file, or "" for random ones (tests).
        device: device to judge on.

    Raises:
        AssetError: the weights cannot be downloaded.
    """
    model, prepare, tokenize = clips.load_open_clip(f"{name}/{weights}" if weights else name, "judge")

    def judge(pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> Integers:
        distinct = sorted({text for line in texts for text in line})
        with _visiting(model, device), torch.inference_mode():
            encoded = torch.cat([model.encode_text(part.to(device)) for part in torch.split(tokenize(distinct), 64)])
            encoded = encoded / encoded.norm(dim=1, keepdim=True)
            shown = progress(pictures, "judging")
            images = [model.encode_image(prepare(picture).unsqueeze(0).to(device)) for picture in shown]
            return _best_texts(torch.cat(images) @ encoded.T, distinct, texts)

    return judge


@contextmanager
def _visiting(model: torch.nn.Module, device: str) -> Iterator[None]:
    """Hold a model on a device within the `with` block only."""
    model.to(device)
    try:
        yield
    finally:
        model.to("cpu")


def _best_texts(logits: torch.Tensor, distinct: Sequence[str], texts: Sequence[Sequence[str]]) -> Integers:
    """Return for each picture the index of the best of its own texts, from logits (pictures, distinct texts)."""
    refuse_nan(logits, "the judge's similarities")
    columns = {text: column for column, text in enumerate(distinct)}
    best = [row[[columns[text] for text in line]].argmax() for row, line in zip(logits, texts, strict=True)]
    return torch.stack(best).cpu().numpy()


def correct(judge: Judge, pictures: Sequence[Image], prompts: Sequence[str], kinds: Sequence[Kind]) -> Mask:
    """Return (n,) whether the judge sees in each picture what its prompt's kind asks for."""
    texts = [texts_for(prompt, kind) for prompt, kind in zip(prompts, kinds, strict=True)]
    return np.equal(judge(pictures, texts), 0)
