"""Vision transformers that return patch tokens: CLIP, open_clip and DINOv2 behind one interface.

A vision transformer cuts the picture into patches and keeps one token per patch through all of its blocks. `features`
reads the tokens with forward hooks on the blocks, so no library's forward pass is copied here.

Sources: Radford et al. 2021 (CLIP, 2103.00020); Oquab et al. 2023 (DINOv2, 2304.07193).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from neoai_utils import clips
from neoai_utils.small_clip import CLIP_MEAN, CLIP_STD

__all__ = ["Backbone", "Clip", "clip_from", "dino_backbone", "load_clip", "open_clip_from"]

HUB_MODEL = "openai/clip-vit-base-patch16"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_DINO_SIDE = 224  # pixels; DINOv2 was trained with it before its last steps


@dataclass(frozen=True)
class Backbone:
    """A ViT backbone that returns patch tokens.

    Attributes:
        run: one forward pass over pixels (batch, 3, height, width), sides multiples of `patch`; its result is unused.
        blocks: the transformer blocks in order; their outputs are (batch, 1 + cells, width), the class token first.
        side: the picture's side in pixels during training.
        patch: the side of a patch in pixels; a patch is a cell of the features.
        mean: of the pixels in 0..1, one number per channel, for normalisation.
        std: their standard deviation, likewise.
    """

    run: Callable[[Tensor], object]
    blocks: Sequence[Any]
    side: int
    patch: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def grid(self) -> int:
        """Cells along a side at the trained size: 14 for CLIP ViT-B/16."""
        return self.side // self.patch

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        device: torch.device = next(self.blocks[0].parameters()).device
        return device


@dataclass(frozen=True)
class Clip:
    """A model of pictures and texts.

    Attributes:
        backbone: its vision transformer.
        embed_images: pixels (batch, 3, side, side) -> (batch, width) of unit length.
        embed_texts: texts -> (number, width) of unit length.
        model: the library's model, for methods that read its layers.
    """

    backbone: Backbone
    embed_images: Callable[[Tensor], Tensor]
    embed_texts: Callable[[Sequence[str]], Tensor]
    model: Any


def load_clip(name: str = "", folder: Path | None = None, device: torch.device | str = "cpu") -> Clip:
    """Load a CLIP in float32, whatever number format its weights are stored in.

    Args:
        name: "" for `folder` if it exists, else the competition's `openai/clip-vit-base-patch16`; a folder or hub id
            of a transformers `CLIPModel`; or "open_clip:<model>/<weights>", as in "open_clip:ViT-B-16/openai".
        folder: the miniature's folder with a model.
        device: device to run on.

    Raises:
        AssetError: the model cannot be loaded; says how to get it.
    """
    if name.startswith("open_clip:"):
        model, _, tokenizer = clips.load_open_clip(name.removeprefix("open_clip:"), "backbone", device)
        return open_clip_from(model, tokenizer)
    source = name or (str(folder) if folder is not None and folder.is_dir() else HUB_MODEL)
    model, tokenizer = clips.load(source, "backbone", (HUB_MODEL,))
    return clip_from(model.to(device), tokenizer)


def clip_from(model: Any, tokenizer: Callable[..., Any]) -> Clip:
    """Wrap a transformers `CLIPModel` and its tokenizer."""
    vision, config = model.vision_model, model.config.vision_config
    side = config.image_size

    def run(pixels: Tensor) -> object:
        return vision(pixel_values=pixels, interpolate_pos_encoding=tuple(pixels.shape[-2:]) != (side, side))

    def embed_images(pixels: Tensor) -> Tensor:
        return functional.normalize(model.visual_projection(vision(pixel_values=pixels).pooler_output), dim=-1)

    def embed_texts(texts: Sequence[str]) -> Tensor:
        device = model.logit_scale.device
        tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt").to(device)
        output = model.text_model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        return functional.normalize(model.text_projection(output.pooler_output), dim=-1)

    backbone = Backbone(run, vision.encoder.layers, side, config.patch_size, CLIP_MEAN, CLIP_STD)
    return Clip(backbone, embed_images, embed_texts, model)


def open_clip_from(model: Any, tokenizer: Callable[[list[str]], Tensor]) -> Clip:
    """Wrap an open_clip model whose vision tower is open_clip's `VisionTransformer`.

    open_clip adds its position table as it is. For other picture sizes `torch.func.functional_call` replaces the table
    by an interpolated one during the call; the model itself is not changed.
    """
    visual = model.visual
    side, patch = int(_first(visual.image_size)), int(_first(visual.patch_size))

    def run(pixels: Tensor) -> object:
        shape = (pixels.shape[-2] // patch, pixels.shape[-1] // patch)
        table = _resized_positions(visual.positional_embedding, side // patch, shape)
        return torch.func.functional_call(visual, {"positional_embedding": table}, (pixels,))

    def embed_images(pixels: Tensor) -> Tensor:
        return functional.normalize(model.encode_image(pixels), dim=-1)

    def embed_texts(texts: Sequence[str]) -> Tensor:
        return functional.normalize(model.encode_text(tokenizer(list(texts)).to(visual.class_embedding.device)), dim=-1)

    mean = tuple(getattr(visual, "image_mean", None) or CLIP_MEAN)
    std = tuple(getattr(visual, "image_std", None) or CLIP_STD)
    return Clip(Backbone(run, visual.transformer.resblocks, side, patch, mean, std), embed_images, embed_texts, model)


def dino_backbone(model: Any) -> Backbone:
    """Wrap a transformers `Dinov2Model`, which interpolates its position table by itself."""
    encoder = model.encoder
    blocks = encoder.layers if hasattr(encoder, "layers") else encoder.layer

    def run(pixels: Tensor) -> object:
        return model(pixel_values=pixels)

    return Backbone(run, blocks, _DINO_SIDE, model.config.patch_size, IMAGENET_MEAN, IMAGENET_STD)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (tuple, list)) else value


def _resized_positions(table: Tensor, grid: int, shape: tuple[int, int]) -> Tensor:
    """Interpolate a position table (1 + grid², width) to a grid of `shape`; the class position stays."""
    if shape == (grid, grid):
        return table
    cells = table[1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    cells = functional.interpolate(cells, size=shape, mode="bicubic", align_corners=False)
    return torch.cat([table[:1], cells.permute(0, 2, 3, 1).reshape(shape[0] * shape[1], -1)])
