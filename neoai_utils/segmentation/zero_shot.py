"""Masks without learning: compare what CLIP sees at a place with the words "a photo of a ...".

The organisers' baseline sends every patch through CLIP as a picture of its own. The others need one forward pass and
ask a part of the last blocks instead: an attention head's own share of the output (Gandelsman et al. 2023, 2310.05916:
the residual stream is a sum, so each head's term can be compared with the text alone), the values without the mixing
(MaskCLIP, Zhou et al. 2021, 2112.01071), or mixing by query-query attention without residual and MLP (ClearCLIP,
Lan et al. 2024, 2407.12442).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from neoai_utils.runtime import refuse_nan
from neoai_utils.segmentation.features import Clip, pixels_of
from neoai_utils.segmentation.files import mean_iou

__all__ = [
    "best_head", "class_of", "clearclip_maps", "crop_maps", "head_maps", "in_batches", "maskclip_maps",
    "mean_threshold_mask", "mean_threshold_masks", "one_head_maps", "token_maps",
]  # fmt: skip

CANVAS = 224  # the organisers' working size in pixels

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Maps = NDArray[np.float32]


def class_of(clip: Clip, images: Sequence[Picture], texts: Tensor, batch: int = 32) -> Tensor:
    """Return for each picture the text vector (of `texts`, (classes, width)) closest to it: (pictures, width)."""
    with torch.inference_mode():
        starts = range(0, len(images), batch)
        seen = torch.cat([clip.embed_images(pixels_of(clip.backbone, images[s : s + batch])) for s in starts])
        refuse_nan(seen, "the vectors of the pictures")
        return texts[(seen @ texts.T).argmax(dim=1)]


def mean_threshold_mask(heat: Maps, size: tuple[int, int]) -> Mask:
    """Turn a (rows, columns) similarity map into a mask of `size` (height, width) as the organisers do.

    Bilinear to 224 x 224, scaled to 0..1, above its own mean, nearest pixel to the picture's size.
    """
    canvas = functional.interpolate(torch.from_numpy(heat)[None, None], size=(CANVAS, CANVAS), mode="bilinear")
    stretched = canvas[0, 0].numpy()
    scaled = (stretched - stretched.min()) / (np.ptp(stretched) + 1e-9)
    mask = Image.fromarray((scaled > scaled.mean()).astype(np.uint8))
    return np.asarray(mask.resize(size[::-1], Image.Resampling.NEAREST)).astype(bool)


def mean_threshold_masks(maps: Maps, sizes: Sequence[tuple[int, int]]) -> list[Mask]:
    """Return `mean_threshold_mask` of many maps, (pictures, rows, columns)."""
    return [mean_threshold_mask(heat, size) for heat, size in zip(maps, sizes, strict=True)]


def in_batches(
    way: Callable[[Clip, Sequence[Picture], Tensor], Maps],
    clip: Clip,
    images: Sequence[Picture],
    texts: Tensor,
    batch: int = 32,
) -> Maps:
    """Apply one of this module's ways to many pictures, (pictures, grid, grid), without holding all of them at once."""
    starts = range(0, len(images), batch)
    return np.concatenate([way(clip, images[s : s + batch], texts[s : s + batch]) for s in starts])


def best_head(
    clip: Clip, images: Sequence[Picture], texts: Tensor, masks: Sequence[Mask]
) -> tuple[tuple[int, int], float]:
    """Return the (block, head) whose maps fit the masks of labelled pictures best, and its mean IoU there."""
    sizes = [(mask.shape[0], mask.shape[1]) for mask in masks]
    scores = {
        head: mean_iou(zip(mean_threshold_masks(maps, sizes), masks, strict=True))
        for head, maps in head_maps(clip, images, texts).items()
    }
    best = max(scores, key=lambda head: scores[head])
    return best, scores[best]


def crop_maps(clip: Clip, images: Sequence[Picture], texts: Tensor, batch: int = 49) -> Maps:
    """Return the organisers' maps (pictures, grid, grid): every patch, enlarged to a whole picture, against the text.

    Args:
        clip: the model.
        images: the pictures.
        texts: one text vector per picture, (pictures, width), from `class_of`.
        batch: patches per forward pass.
    """
    backbone = clip.backbone
    maps = []
    for image, text in zip(images, texts, strict=True):
        pixels = pixels_of(backbone, [image])
        patches = functional.unfold(pixels, backbone.patch, stride=backbone.patch)[0].T
        patches = patches.reshape(-1, 3, backbone.patch, backbone.patch)
        with torch.inference_mode():
            seen = [
                clip.embed_images(functional.interpolate(part, size=(backbone.side,) * 2, mode="bicubic"))
                for part in torch.split(patches, batch)
            ]
            maps.append((torch.cat(seen) @ text).reshape(backbone.grid, backbone.grid).cpu().numpy())
    return np.stack(maps)


def _similarity(clip: Clip, tokens: Tensor, texts: Tensor) -> Maps:
    """Project tokens (batch, 1 + cells, width) to the space of texts and compare: (batch, grid, grid)."""
    projected = clip.model.visual_projection(clip.model.vision_model.post_layernorm(tokens[:, 1:]))
    similar = torch.einsum("bcw,bw->bc", functional.normalize(projected, dim=-1), texts)
    return similar.reshape(len(tokens), clip.backbone.grid, -1).cpu().numpy()


def _inputs_of(clip: Clip, images: Sequence[Picture], modules: Sequence[Any]) -> list[Tensor]:
    """Run one forward pass over the pictures; return the first input of each module."""
    caught: dict[int, Tensor] = {}

    def hook(module: Any, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        caught[id(module)] = inputs[0] if inputs else named["hidden_states"]

    handles = [module.register_forward_pre_hook(hook, with_kwargs=True) for module in modules]
    try:
        clip.backbone.run(pixels_of(clip.backbone, images))
    finally:
        for handle in handles:
            handle.remove()
    return [caught[id(module)] for module in modules]


@torch.inference_mode()
def token_maps(clip: Clip, images: Sequence[Picture], texts: Tensor) -> Maps:
    """Return the plain comparison of the last block's tokens with the text, (pictures, grid, grid).

    It fails: training asked only the class token to speak the language of texts.
    """
    last = clip.backbone.blocks[-1]
    caught: list[Tensor] = []
    handle = last.register_forward_hook(lambda _m, _i, out: caught.append(out[0] if isinstance(out, tuple) else out))
    try:
        clip.backbone.run(pixels_of(clip.backbone, images))
    finally:
        handle.remove()
    return _similarity(clip, caught[0], texts)


@torch.inference_mode()
def head_maps(clip: Clip, images: Sequence[Picture], texts: Tensor) -> dict[tuple[int, int], Maps]:
    """Return, for every (block, head), the map of that head's own share of the output (2310.05916).

    Args:
        clip: a transformers CLIP.
        images: the pictures.
        texts: one text vector per picture.

    Returns:
        (block, head), both from 0 -> (pictures, grid, grid).
    """
    attentions = [block.self_attn for block in clip.backbone.blocks]
    mixed = _inputs_of(clip, images, [attention.out_proj for attention in attentions])
    maps = {}
    for block, (attention, values) in enumerate(zip(attentions, mixed, strict=True)):
        width = attention.head_dim
        for head in range(attention.num_heads):
            part = slice(head * width, (head + 1) * width)
            own = values[..., part] @ attention.out_proj.weight[:, part].T + attention.out_proj.bias
            maps[block, head] = np.maximum(_similarity(clip, own, texts), 0.0)
    return maps


def one_head_maps(clip: Clip, images: Sequence[Picture], texts: Tensor, head: tuple[int, int]) -> Maps:
    """Return the maps of one (block, head) of `head_maps`, (pictures, grid, grid)."""
    return head_maps(clip, images, texts)[head]


@torch.inference_mode()
def maskclip_maps(clip: Clip, images: Sequence[Picture], texts: Tensor) -> Maps:
    """Return MaskCLIP's maps: the last block's values, each at its own place, through the output projection."""
    attention = clip.backbone.blocks[-1].self_attn
    (inputs,) = _inputs_of(clip, images, [attention])
    return _similarity(clip, attention.out_proj(attention.v_proj(inputs)), texts)


@torch.inference_mode()
def clearclip_maps(clip: Clip, images: Sequence[Picture], texts: Tensor) -> Maps:
    """Return ClearCLIP's maps: the last block's values mixed by query-query attention, no residual, no MLP."""
    attention = clip.backbone.blocks[-1].self_attn
    (inputs,) = _inputs_of(clip, images, [attention])
    shape = (*inputs.shape[:2], attention.num_heads, attention.head_dim)
    queries = attention.q_proj(inputs).reshape(shape).transpose(1, 2)
    values = attention.v_proj(inputs).reshape(shape).transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(queries, queries, values)
    return _similarity(clip, attention.out_proj(mixed.transpose(1, 2).flatten(2)), texts)
