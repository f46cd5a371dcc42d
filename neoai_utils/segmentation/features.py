"""Dense features: one vector per cell of a picture, out of the hidden layers of a vision transformer.

A vision transformer cuts the picture into patches and keeps one token per patch through all of its blocks. CLIP and
DINOv2 were trained on whole pictures, yet their tokens know what they look at; the first blocks know edges and
fur, the last ones know meaning. Forward hooks on the blocks read the tokens, so that no library's forward pass is
copied here and every version of it will do.

Sources: Radford et al. 2021 (CLIP, 2103.00020); Oquab et al. 2023 (DINOv2, 2304.07193).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils import clips
from neoai_utils.runtime import refuse_nan
from neoai_utils.small_clip import CLIP_MEAN, CLIP_STD

__all__ = [
    "Backbone", "Clip", "class_embeddings", "clip_from", "dense_features", "dino_backbone", "gathered", "load_clip",
    "open_clip_from", "pixels_of", "published_layers", "shifted_features", "stacked",
]  # fmt: skip

HUB_MODEL = "openai/clip-vit-base-patch16"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_PUBLISHED = (3, 7, 9, 12)  # of 12 blocks

Picture = NDArray[np.uint8]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Backbone:
    """A vision transformer seen as a giver of tokens.

    Attributes:
        run: one forward pass over pixels (batch, 3, height, width), sides multiples of `patch`; its result is unused.
        blocks: the transformer blocks in order; their outputs are (batch, 1 + cells, width), the class token first.
        side: the side in pixels that the model was trained with.
        patch: the side of a cell in pixels.
        mean, std: normalisation of the pixels.
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
        """Where the weights lie."""
        device: torch.device = next(self.blocks[0].parameters()).device
        return device


@dataclass(frozen=True)
class Clip:
    """A model of pictures and texts.

    Attributes:
        backbone: its vision transformer.
        embed_images: pixels (batch, 3, side, side) -> (batch, width) of unit length.
        embed_texts: texts -> (number, width) of unit length.
        model: the library's own model, for those who read inside it.
    """

    backbone: Backbone
    embed_images: Callable[[Tensor], Tensor]
    embed_texts: Callable[[Sequence[str]], Tensor]
    model: Any


# ----------------------------------------------------------------------------------------------- models


def load_clip(name: str = "", folder: Path | None = None, device: torch.device | str = "cpu") -> Clip:
    """Load a CLIP.

    Args:
        name: "" for `folder` if it is there, else the competition's `openai/clip-vit-base-patch16`; a folder or hub id
            of a transformers `CLIPModel`; or "open_clip:<model>/<weights>", as in "open_clip:ViT-B-16/openai".
            What is stored in half precision is read in float32.
        folder: where the miniature keeps its model.
        device: where to run.

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
    own = config.image_size

    def run(pixels: Tensor) -> object:
        return vision(pixel_values=pixels, interpolate_pos_encoding=tuple(pixels.shape[-2:]) != (own, own))

    def embed_images(pixels: Tensor) -> Tensor:
        return functional.normalize(model.visual_projection(vision(pixel_values=pixels).pooler_output), dim=-1)

    def embed_texts(texts: Sequence[str]) -> Tensor:
        device = model.logit_scale.device
        tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt").to(device)
        output = model.text_model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        return functional.normalize(model.text_projection(output.pooler_output), dim=-1)

    backbone = Backbone(run, vision.encoder.layers, own, config.patch_size, CLIP_MEAN, CLIP_STD)
    return Clip(backbone, embed_images, embed_texts, model)


def open_clip_from(model: Any, tokenizer: Callable[[list[str]], Tensor]) -> Clip:
    """Wrap an open_clip model whose vision tower is open_clip's own VisionTransformer.

    open_clip adds its position table as it is; for other picture sizes the interpolated table is put in its place
    for the one call (`torch.func.functional_call`), and the model itself stays untouched.
    """
    visual = model.visual
    own, patch = int(_first(visual.image_size)), int(_first(visual.patch_size))

    def run(pixels: Tensor) -> object:
        shape = (pixels.shape[-2] // patch, pixels.shape[-1] // patch)
        table = _resized_positions(visual.positional_embedding, own // patch, shape)
        return torch.func.functional_call(visual, {"positional_embedding": table}, (pixels,))

    def embed_images(pixels: Tensor) -> Tensor:
        return functional.normalize(model.encode_image(pixels), dim=-1)

    def embed_texts(texts: Sequence[str]) -> Tensor:
        return functional.normalize(model.encode_text(tokenizer(list(texts)).to(visual.class_embedding.device)), dim=-1)

    mean = tuple(getattr(visual, "image_mean", None) or CLIP_MEAN)
    std = tuple(getattr(visual, "image_std", None) or CLIP_STD)
    return Clip(Backbone(run, visual.transformer.resblocks, own, patch, mean, std), embed_images, embed_texts, model)


def dino_backbone(model: Any, side: int = 224) -> Backbone:
    """Wrap a transformers `Dinov2Model`; it interpolates its position table by itself."""
    encoder = model.encoder
    blocks = encoder.layers if hasattr(encoder, "layers") else encoder.layer

    def run(pixels: Tensor) -> object:
        return model(pixel_values=pixels)

    return Backbone(run, blocks, side, model.config.patch_size, IMAGENET_MEAN, IMAGENET_STD)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (tuple, list)) else value


def _resized_positions(table: Tensor, grid: int, shape: tuple[int, int]) -> Tensor:
    """Interpolate a position table (1 + grid², width) to another grid, the class position kept."""
    if shape == (grid, grid):
        return table
    cells = table[1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    cells = functional.interpolate(cells, size=shape, mode="bicubic", align_corners=False)
    return torch.cat([table[:1], cells.permute(0, 2, 3, 1).reshape(shape[0] * shape[1], -1)])


# ----------------------------------------------------------------------------------------------- features


def class_embeddings(clip: Clip, names: Sequence[str], template: str = "a photo of a {}") -> Tensor:
    """Return one unit vector per class name, (classes, width)."""
    with torch.inference_mode():
        found = clip.embed_texts([template.format(name) for name in names])
    refuse_nan(found, "the vectors of the class names")
    return found


def pixels_of(backbone: Backbone, images: Sequence[Picture], side: int | None = None) -> Tensor:
    """Squash pictures to side x side and normalise them: (number, 3, side, side).

    Squashed, not cropped: the cells then cover the whole picture, and a map is stretched back the same way.
    """
    side = side or backbone.side
    squashed = [Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC) for image in images]
    values = torch.from_numpy(np.stack([np.asarray(image) for image in squashed])).permute(0, 3, 1, 2)
    mean, std = torch.tensor(backbone.mean).view(3, 1, 1), torch.tensor(backbone.std).view(3, 1, 1)
    return ((values.float() / 255 - mean) / std).to(backbone.device)


def published_layers(depth: int) -> tuple[int, ...]:
    """Return the published blocks 3, 7, 9 and 12 of 12, scaled to a model of `depth` blocks (all four of four)."""
    return tuple(round(depth * layer / 12) for layer in _PUBLISHED)


def stacked(backbone: Backbone, pixels: Tensor, layers: Sequence[int]) -> Tensor:
    """Return the tokens of several blocks side by side, each block's scaled to unit length.

    Args:
        backbone: the transformer.
        pixels: (batch, 3, height, width), sides multiples of the patch.
        layers: block numbers, 1 for the first block's output.

    Returns:
        (batch, rows, columns, len(layers) * width), float32.
    """
    caught: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            caught[layer] = output[0] if isinstance(output, tuple) else output

        return hook

    handles = [backbone.blocks[layer - 1].register_forward_hook(keep(layer)) for layer in layers]
    try:
        with torch.inference_mode():
            backbone.run(pixels)
    finally:
        for handle in handles:
            handle.remove()
    tokens = torch.cat([functional.normalize(caught[layer][:, 1:].float(), dim=-1) for layer in layers], dim=-1)
    refuse_nan(tokens, "the tokens of the pictures", caught[layers[0]].dtype)
    rows, columns = pixels.shape[-2] // backbone.patch, pixels.shape[-1] // backbone.patch
    return tokens.reshape(len(pixels), rows, columns, -1)


def dense_features(
    backbone: Backbone,
    images: Sequence[Picture],
    layers: Sequence[int],
    *,
    scale: int = 1,
    mirrored: bool = False,
    batch: int = 16,
) -> Iterator[Features]:
    """Yield the features of pictures, batch after batch (a thousand pictures' would not fit in memory).

    Args:
        backbone: the transformer.
        images: the pictures, of any sizes.
        layers: block numbers.
        scale: 2 shows the picture at twice the trained side, the positions interpolated: a grid twice as fine.
        mirrored: look at the mirror image; the features are mirrored back, cell for cell.
        batch: pictures per forward pass.

    Yields:
        (pictures, rows, columns, width) float32.
    """
    for start in range(0, len(images), batch):
        pixels = pixels_of(backbone, images[start : start + batch], backbone.side * scale)
        tokens = stacked(backbone, pixels.flip(3) if mirrored else pixels, layers)
        yield (tokens.flip(2) if mirrored else tokens).cpu().numpy()


def gathered(batches: Iterator[Features]) -> Features:
    """Join the batches of `dense_features` or `shifted_features`: (pictures, rows, columns, width)."""
    return np.concatenate(list(batches))


def shifted_features(
    backbone: Backbone, images: Sequence[Picture], layers: Sequence[int], *, batch: int = 16
) -> Iterator[Features]:
    """Yield features on a grid twice as fine from four looks at the trained size, each half a patch further on.

    The border is continued by its last pixels. Fine cell (2r + a, 2c + b) comes from the look that was moved by
    (a, b) half patches; its middle lies a quarter patch off the patch's own, for which the looks start a quarter
    patch early.
    """
    quarter = backbone.patch // 4
    for start in range(0, len(images), batch):
        pixels = pixels_of(backbone, images[start : start + batch])
        padded = functional.pad(pixels, (quarter,) * 4, mode="replicate")
        rows = []
        for a in (0, 1):
            looks = []
            for b in (0, 1):
                top, left = 2 * a * quarter, 2 * b * quarter
                window = padded[:, :, top : top + backbone.side, left : left + backbone.side]
                looks.append(stacked(backbone, window, layers))
            rows.append(torch.stack(looks, dim=3))
        fine = torch.stack(rows, dim=2)  # (batch, r, a, c, b, width)
        yield fine.flatten(3, 4).flatten(1, 2).cpu().numpy()
