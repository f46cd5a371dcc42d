"""Dense features: one vector per cell of a picture, from the hidden layers of a vision transformer.

CLIP and DINOv2 were trained on whole pictures, yet their patch tokens describe what each patch shows: the first blocks
edges and fur, the last ones meaning.

Features are large: those of 28 x 28 cells from four blocks of CLIP ViT-B/16 are 784 x 3,072 numbers, 9.6 MB a picture.
A batch of 16 pictures takes 154 MB, a thousand pictures take 9.6 GB. Functions for many pictures therefore yield
batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils.arrays import Float32, Picture
from neoai_utils.hooks import hidden_states, hooked
from neoai_utils.number_formats import in_fast_format
from neoai_utils.runtime import refuse_nan
from neoai_utils.segmentation.backbones import Backbone, Clip

__all__ = [
    "BATCH", "class_embeddings", "concatenated", "dense_features", "mapped", "normalised_pixels", "published_layers",
    "stacked_tokens",
]  # fmt: skip

BATCH = 16
"""Pictures per forward pass."""

_PUBLISHED = (3, 7, 9, 12)  # of 12 blocks


def class_embeddings(clip: Clip, names: Sequence[str]) -> Tensor:
    """Return one unit vector per class name, that of "a photo of a …", (classes, width)."""
    with torch.inference_mode():
        embeddings = clip.embed_texts([f"a photo of a {name}" for name in names])
    refuse_nan(embeddings, "the vectors of the class names")
    return embeddings


def normalised_pixels(backbone: Backbone, images: Sequence[Picture], side: int | None = None) -> Tensor:
    """Resize pictures to side x side without keeping the aspect ratio, and normalise: (number, 3, side, side).

    No crop: the cells then cover the whole picture, and a map is stretched back the same way.
    """
    side = side or backbone.side
    resized = [Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC) for image in images]
    values = torch.from_numpy(np.stack([np.asarray(image) for image in resized])).permute(0, 3, 1, 2)
    mean, std = torch.tensor(backbone.mean).view(3, 1, 1), torch.tensor(backbone.std).view(3, 1, 1)
    return ((values.float() / 255 - mean) / std).to(backbone.device)


def published_layers(depth: int) -> tuple[int, ...]:
    """Return the published blocks 3, 7, 9 and 12 of 12, scaled to a model of `depth` blocks (all four of four)."""
    return tuple(round(depth * layer / 12) for layer in _PUBLISHED)


def stacked_tokens(backbone: Backbone, pixels: Tensor, layers: Sequence[int]) -> Tensor:
    """Concatenate the tokens of several blocks, each block's scaled to unit length.

    Args:
        backbone: the transformer.
        pixels: (batch, 3, height, width), sides multiples of the patch.
        layers: block numbers, 1 for the first block's output.

    Returns:
        (batch, rows, columns, len(layers) * width), float32.

    Raises:
        NotANumberError: a token is NaN in float32, too.
    """
    compute = partial(_stacked_tokens, backbone, pixels, layers)
    return in_fast_format(compute, backbone.device, "the tokens of the pictures")


def _stacked_tokens(backbone: Backbone, pixels: Tensor, layers: Sequence[int]) -> Tensor:
    states: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            states[layer] = hidden_states(output)

        return hook

    with hooked({backbone.blocks[layer - 1]: keep(layer) for layer in layers}):
        backbone.run(pixels)
    tokens = torch.cat([functional.normalize(states[layer][:, 1:].float(), dim=-1) for layer in layers], dim=-1)
    rows, columns = pixels.shape[-2] // backbone.patch, pixels.shape[-1] // backbone.patch
    return tokens.reshape(len(pixels), rows, columns, -1)


def dense_features(
    backbone: Backbone,
    images: Sequence[Picture],
    layers: Sequence[int],
    *,
    scale: float = 1.0,
    mirror: bool = False,
    batch: int = BATCH,
) -> Iterator[Float32]:
    """Yield the features of pictures batch by batch.

    Args:
        backbone: the transformer.
        images: the pictures, of any sizes.
        layers: block numbers, 1 for the first.
        scale: 2 resizes the pictures to twice the trained side and interpolates the positions: the grid is twice as
            fine. The side is rounded to whole patches.
        mirror: average with the features of the mirror image, mirrored back.
        batch: pictures per forward pass.

    Yields:
        (pictures, rows, columns, width) float32.
    """
    side = round(backbone.grid * scale) * backbone.patch
    for start in range(0, len(images), batch):
        pixels = normalised_pixels(backbone, images[start : start + batch], side)
        tokens = stacked_tokens(backbone, pixels, layers)
        if mirror:
            tokens = (tokens + stacked_tokens(backbone, pixels.flip(3), layers).flip(2)) / 2
        yield tokens.cpu().numpy()


def concatenated(batches: Iterable[Float32]) -> Float32:
    """Join the batches of `dense_features`: (pictures, rows, columns, width)."""
    return np.concatenate(list(batches))


def mapped(batches: Iterable[Float32], predict: Callable[[Float32], Any]) -> Any:
    """Predict batch by batch, so that never more than two batches of features are held.

    Args:
        batches: features (pictures, rows, columns, width).
        predict: function from such features to maps (pictures, rows, columns).

    Returns:
        The maps of all pictures, (pictures, rows, columns), of the dtype of `predict`.
    """
    return np.concatenate([predict(cells) for cells in batches])
