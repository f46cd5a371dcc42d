"""The judge: a CLIP that says which of four texts fits a picture best, as the competition's own scoring does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from neoai_utils import clips
from neoai_utils.diffusion.files import Kind, texts_for
from neoai_utils.runtime import refuse_nan

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Judge", "load_judge", "open_clip_judge", "open_judge", "right"]

Judge = Callable[[Sequence["Image"], Sequence[Sequence[str]]], NDArray[np.int64]]
"""Takes n pictures and n lists of texts; returns for each picture the number of the text that fits it best."""


def open_judge(name: str, given: Path | None, device: str = "cpu") -> Judge | None:
    """Return the judge that a setting names.

    Args:
        name: "given" for the miniature's judge, or the competition's where there is none; a folder or hub name of a
            `CLIPModel`; "open_clip:<model>/<weights>"; empty for no judge.
        given: folder of the miniature's judge.
        device: where a judge of open_clip shall run.

    Raises:
        AssetError: there is no such judge, or it is out of reach.
    """
    if not name:
        return None
    if name.startswith("open_clip:"):
        return open_clip_judge(*name.removeprefix("open_clip:").partition("/")[::2], device)
    if name != "given":
        return load_judge(name)
    return open_clip_judge(device=device) if given is None else load_judge(given)


def load_judge(source: str | Path) -> Judge:
    """Return a judge from a `CLIPModel` and its `CLIPTokenizer`: a folder, or a name on the hub.

    Raises:
        AssetError: there is no such model.
    """
    from torchvision.transforms import functional as pixels

    from neoai_utils.small_clip import CLIP_MEAN, CLIP_STD

    model, tokenizer = clips.load(source, "judge")
    side = model.config.vision_config.image_size

    @torch.inference_mode()
    def judge(pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> NDArray[np.int64]:
        seen = torch.stack(
            [pixels.normalize(pixels.to_tensor(p.resize((side, side))), CLIP_MEAN, CLIP_STD) for p in pictures]
        )
        known = sorted({text for line in texts for text in line})
        words = tokenizer(known, padding=True, truncation=True, return_tensors="pt")
        logits = torch.cat([model(pixel_values=part, **words).logits_per_image for part in torch.split(seen, 64)])
        return _best(logits, known, texts)

    return judge


def open_clip_judge(name: str = "ViT-H-14", weights: str = "laion2b_s32b_b79k", device: str = "cpu") -> Judge:
    """Return the competition's judge, or another model of open_clip's list.

    Args:
        name: open_clip's name of the architecture.
        weights: open_clip's tag of the weights, a file, or "" for random ones (tests).
        device: where it shall run.

    Raises:
        AssetError: the weights cannot be had.
    """
    model, prepare, tokenize = clips.load_open_clip(f"{name}/{weights}" if weights else name, "judge", device)

    @torch.inference_mode()
    def judge(pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> NDArray[np.int64]:
        known = sorted({text for line in texts for text in line})
        words = torch.cat([model.encode_text(part.to(device)) for part in torch.split(tokenize(known), 64)])
        words = words / words.norm(dim=1, keepdim=True)
        seen = [model.encode_image(prepare(picture).unsqueeze(0).to(device)) for picture in pictures]
        return _best(torch.cat(seen) @ words.T, known, texts)

    return judge


def _best(logits: torch.Tensor, known: Sequence[str], texts: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Compare each picture with its own texts only."""
    refuse_nan(logits, "the judge's likenesses")
    numbers = {text: number for number, text in enumerate(known)}
    own = [row[[numbers[text] for text in line]].argmax() for row, line in zip(logits, texts, strict=True)]
    return torch.stack(own).cpu().numpy()


def right(judge: Judge, pictures: Sequence[Image], prompts: Sequence[str], kinds: Sequence[Kind]) -> NDArray[np.bool_]:
    """Return (n,) whether the judge sees in each picture what its prompt's kind asks for."""
    texts = [texts_for(prompt, kind) for prompt, kind in zip(prompts, kinds, strict=True)]
    return np.equal(judge(pictures, texts), 0)
