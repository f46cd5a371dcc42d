"""Encoding a submission: masks as base64 of PNG files, against a PNG written byte by byte from its specification."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
from PIL import Image

from neoai_utils.diffusion import files as hogspell
from neoai_utils.segmentation import files as cuties

SIZE = (375, 500)


def some_masks(count: int) -> list[np.ndarray]:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return [np.hypot(rows - 180, columns - (7 * i) % 500) < 120 for i in range(count)]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def byte_by_byte(mask: np.ndarray) -> str:
    """PNG (W3C, second edition): signature, header, rows of unfiltered grey values, end."""
    height, width = mask.shape
    rows = bytearray()
    for line in mask:
        rows.append(0)
        for inside in line:
            rows.append(255 if inside else 0)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + parts).decode("ascii")


def test_masks_as_text(against):
    masks = some_masks(20)
    ours, plain = against("7 · submission of 20 masks", lambda: [byte_by_byte(mask) for mask in masks],
                          lambda: cuties.submission(range(20), masks))  # fmt: skip
    for mask, text, reference in zip(masks, ours["mask"], plain, strict=True):
        assert np.array_equal(cuties.decode_mask(text), mask)
        assert np.array_equal(cuties.decode_mask(reference), mask)


def test_cost_of_masks_as_text(growth):
    def prepare(size):
        masks = some_masks(size)
        return lambda: cuties.submission(range(size), masks)

    growth("7 · submission, masks", prepare, 25)


def test_cost_of_pictures_as_text(growth):
    """512 x 512 pixels, as Stable Diffusion 1.5 draws them."""
    shades = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(shades).resize((512, 512))
    with Image.open(io.BytesIO(base64.b64decode(hogspell.encoded(picture)))) as again:
        assert again.size == picture.size

    growth("6 · submission, pictures", lambda size: lambda: hogspell.submission([picture] * size), 5)
