"""Masks without training: compare CLIP's vectors of the cells with the text "a photo of a ...".

The organisers' baseline sends every patch through CLIP as a separate picture. The others need one forward pass and
read a part of the last blocks: an attention head's share of the output (Gandelsman et al. 2023, 2310.05916: the
residual stream is a sum, so each head's term can be compared with the text), the values without attention (MaskCLIP,
Zhou et al. 2021, 2112.01071), or query-query attention without residual and MLP (ClearCLIP, Lan et al. 2024,
2407.12442).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from neoai_utils.arrays import Float32, Mask, Picture
from neoai_utils.hooks import hidden_states, hooked
from neoai_utils.number_formats import in_fast_format
from neoai_utils.runtime import progress, refuse_nan
from neoai_utils.segmentation.backbones import Clip
from neoai_utils.segmentation.features import normalised_pixels
from neoai_utils.segmentation.metric import mean_iou

__all__ = [
    "best_head", "clearclip_maps", "closest_texts", "crop_maps", "head_maps", "in_batches", "maskclip_maps",
    "mean_threshold_mask", "mean_threshold_masks", "one_head_maps", "token_maps",
]  # fmt: skip

CANVAS = 224  # the organisers' working size in pixels
_PICTURES, _PATCHES = 32, 49  # of a forward pass


def closest_texts(clip: Clip, images: Sequence[Picture], texts: Tensor) -> Tensor:
    """Return for each picture the closest of the text vectors (classes, width): (pictures, width)."""
    with torch.inference_mode():
        starts = range(0, len(images), _PICTURES)
        parts = [clip.embed_images(normalised_pixels(clip.backbone, images[s : s + _PICTURES])) for s in starts]
        embeddings = torch.cat(parts)
        refuse_nan(embeddings, "the vectors of the pictures")
        return texts[(embeddings @ texts.T).argmax(dim=1)]


def mean_threshold_mask(heat: Float32, size: tuple[int, int]) -> Mask:
    """Turn a (rows, columns) similarity map into a mask of `size` (height, width) as the organisers do.

    Bilinear to 224 x 224, scaled to 0..1, greater than its mean, nearest pixel to the picture's size.
    """
    canvas = functional.interpolate(torch.from_numpy(heat)[None, None], size=(CANVAS, CANVAS), mode="bilinear")
    stretched = canvas[0, 0].numpy()
    scaled = (stretched - stretched.min()) / (np.ptp(stretched) + 1e-9)
    mask = Image.fromarray((scaled > scaled.mean()).astype(np.uint8))
    return np.asarray(mask.resize(size[::-1], Image.Resampling.NEAREST)).astype(bool)


def mean_threshold_masks(maps: Float32, sizes: Sequence[tuple[int, int]]) -> list[Mask]:
    """Return `mean_threshold_mask` of many maps, (pictures, rows, columns)."""
    return [mean_threshold_mask(heat, size) for heat, size in zip(maps, sizes, strict=True)]


def in_batches(
    method: Callable[[Clip, Sequence[Picture], Tensor], Float32],
    clip: Clip,
    images: Sequence[Picture],
    texts: Tensor,
    batch: int = 32,
) -> Float32:
    """Apply one of this module's methods to many pictures without decoding all of them at once.

    Args:
        method: for example `maskclip_maps`.
        clip: the model.
        images: the pictures.
        texts: one text vector per picture, (pictures, width).
        batch: pictures at a time.

    Returns:
        (pictures, grid, grid) float32.
    """
    starts = range(0, len(images), batch)
    return np.concatenate([method(clip, images[s : s + batch], texts[s : s + batch]) for s in starts])


def best_head(
    clip: Clip, images: Sequence[Picture], texts: Tensor, masks: Sequence[Mask]
) -> tuple[tuple[int, int], float]:
    """Return the (block, head) whose maps fit the masks of labelled pictures best, and its mean IoU on them."""
    sizes = [(mask.shape[0], mask.shape[1]) for mask in masks]
    scores = {
        head: mean_iou(mean_threshold_masks(maps, sizes), masks)
        for head, maps in head_maps(clip, images, texts).items()
    }
    best = max(scores, key=lambda head: scores[head])
    return best, scores[best]


def crop_maps(clip: Clip, images: Sequence[Picture], texts: Tensor) -> Float32:
    """Return the organisers' maps (pictures, grid, grid) float32: similarity of every enlarged patch to the text.

    Args:
        clip: the model.
        images: the pictures.
        texts: one text vector per picture, (pictures, width), from `closest_texts`.
    """
    backbone = clip.backbone
    maps = []
    for image, text in progress(zip(images, texts, strict=True), "patches as pictures", total=len(images)):
        pixels = normalised_pixels(backbone, [image])
        patches = functional.unfold(pixels, backbone.patch, stride=backbone.patch)[0].T
        patches = patches.reshape(-1, 3, backbone.patch, backbone.patch)
        embeddings = [_embedded(clip, part) for part in torch.split(patches, _PATCHES)]
        maps.append((torch.cat(embeddings) @ text).reshape(backbone.grid, backbone.grid).cpu().numpy())
    return np.stack(maps)


def _embedded(clip: Clip, patches: Tensor) -> Tensor:
    """Return the unit vectors of patches (n, 3, side, side), each enlarged to a whole picture."""
    pictures = functional.interpolate(patches, size=(clip.backbone.side,) * 2, mode="bicubic")
    return in_fast_format(partial(clip.embed_images, pictures), clip.backbone.device, "the vectors of the patches")


def _similarity(clip: Clip, tokens: Tensor, texts: Tensor) -> Float32:
    """Project tokens (batch, 1 + cells, width) to the space of the texts and compare: (batch, grid, grid)."""
    projected = clip.model.visual_projection(clip.model.vision_model.post_layernorm(tokens[:, 1:]))
    similar = torch.einsum("bcw,bw->bc", functional.normalize(projected, dim=-1), texts)
    return similar.reshape(len(tokens), clip.backbone.grid, -1).cpu().numpy()


def _inputs_of(clip: Clip, images: Sequence[Picture], modules: Sequence[Any]) -> list[Tensor]:
    """Run one forward pass over the pictures; return the first input of each module."""
    inputs_by_module: dict[Any, Tensor] = {}

    def hook(module: Any, inputs: tuple[Tensor, ...], keywords: dict[str, Tensor]) -> None:
        inputs_by_module[module] = inputs[0] if inputs else keywords["hidden_states"]

    with hooked(dict.fromkeys(modules, hook), before=True):
        clip.backbone.run(normalised_pixels(clip.backbone, images))
    return [inputs_by_module[module] for module in modules]


@torch.inference_mode()
def token_maps(clip: Clip, images: Sequence[Picture], texts: Tensor) -> Float32:
    """Return the similarity of the last block's tokens to the text, (pictures, grid, grid) float32.

    It works badly: training compared only the class token with texts.
    """
    states: list[Tensor] = []
    hook = {clip.backbone.blocks[-1]: lambda _module, _inputs, output: states.append(hidden_states(output))}
    with hooked(hook):
        clip.backbone.run(normalised_pixels(clip.backbone, images))
    return _similarity(clip, states[0], texts)


@torch.inference_mode()
def head_maps(clip: Clip, images: Sequence[Picture], texts: Tensor) -> dict[tuple[int, int], Float32]:
    """Return, for every (block, head), the maps of that head's share of the output (2310.05916).

    Args:
        clip: a transformers CLIP.
        images: the pictures.
        texts: one text vector per picture.

    Returns:
        (block, head), both from 0 -> (pictures, grid, grid) float32.
    """
    attentions = [block.self_attn for block in clip.backbone.blocks]
    attended = _inputs_of(clip, images, [attention.out_proj for attention in attentions])
    return {
        (block, head): _head_map(clip, attention, values, head, texts)
        for block, (attention, values) in enumerate(zip(attentions, attended, strict=True))
        for head in range(attention.num_heads)
    }


@torch.inference_mode()
def one_head_maps(clip: Clip, images: Sequence[Picture], texts: Tensor, head: tuple[int, int]) -> Float32:
    """Return the maps of one (block, head) of `head_maps` without computing the others.

    Returns:
        (pictures, grid, grid) float32.
    """
    attention = clip.backbone.blocks[head[0]].self_attn
    (values,) = _inputs_of(clip, images, [attention.out_proj])
    return _head_map(clip, attention, values, head[1], texts)


def _head_map(clip: Clip, attention: Any, values: Tensor, head: int, texts: Tensor) -> Float32:
    """Return the maps (pictures, grid, grid) of one head from all heads' values (pictures, 1 + cells, width)."""
    part = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
    share = values[..., part] @ attention.out_proj.weight[:, part].T + attention.out_proj.bias
    return np.maximum(_similarity(clip, share, texts), 0.0)


@torch.inference_mode()
def maskclip_maps(clip: Clip, images: Sequence[Picture], texts: Tensor) -> Float32:
    """Return MaskCLIP's maps (pictures, grid, grid) float32: the last block's values, projected to the output."""
    attention = clip.backbone.blocks[-1].self_attn
    (inputs,) = _inputs_of(clip, images, [attention])
    return _similarity(clip, attention.out_proj(attention.v_proj(inputs)), texts)


@torch.inference_mode()
def clearclip_maps(clip: Clip, images: Sequence[Picture], texts: Tensor) -> Float32:
    """Return ClearCLIP's maps (pictures, grid, grid) float32: query-query attention, no residual, no MLP."""
    attention = clip.backbone.blocks[-1].self_attn
    (inputs,) = _inputs_of(clip, images, [attention])
    shape = (*inputs.shape[:2], attention.num_heads, attention.head_dim)
    queries = attention.q_proj(inputs).reshape(shape).transpose(1, 2)
    values = attention.v_proj(inputs).reshape(shape).transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(queries, queries, values)
    return _similarity(clip, attention.out_proj(mixed.transpose(1, 2).flatten(2)), texts)
