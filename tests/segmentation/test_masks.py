"""Masks of drawing programs and data sets: what can be meant in one way is read and told, the rest refused."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageFilter

from neoai_utils.errors import DataError, DataWarning
from neoai_utils.segmentation import files, masks

ANIMAL = np.zeros((32, 48), bool)
ANIMAL[8:24, 12:36] = True
BORDER = ANIMAL ^ np.asarray(Image.fromarray(ANIMAL.astype(np.uint8)).filter(ImageFilter.MaxFilter(3))).astype(bool)
ONE = ANIMAL.astype(np.uint8)
LAYERS = np.zeros((32, 48, 4), np.uint8)
LAYERS[..., 3] = ONE * 255
CUT_OUT = np.dstack([np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8), ONE * 255])
WHITE_ON_BLACK = np.dstack([ONE * 255] * 3 + [np.full_like(ONE, 255)])


def palette(numbers: np.ndarray, colours: list[tuple[int, int, int]]) -> Image.Image:
    image = Image.fromarray(numbers.astype(np.uint8))
    image.putpalette([value for colour in colours for value in colour])
    return image


SILENT = {
    "0 and 255": Image.fromarray(ONE * 255),
    "one bit": Image.fromarray(ANIMAL),
    "16 bits": Image.fromarray(ONE.astype(np.uint16) * 65535),
    "16 bits of 8": Image.fromarray(ONE.astype(np.uint16) * 255),
    "three equal channels": Image.fromarray(np.dstack([ONE * 255] * 3)),
    "four channels, opaque": Image.fromarray(WHITE_ON_BLACK),
    "colours and alpha agree": Image.fromarray(np.dstack([ONE * 255] * 4)),
    "grey with an opaque alpha": Image.fromarray(ONE * 255).convert("LA"),
    "black and white palette": palette(ONE, [(0, 0, 0), (255, 255, 255)]),
    "palette in another order": palette(1 - ONE, [(255, 255, 255), (0, 0, 0)]),
}
TOLD = {
    "0 and 1": (Image.fromarray(ONE), "0 and 1 in place of 0 and 255; 1 is read"),
    "0 and 1 in 16 bits": (Image.fromarray(ONE.astype(np.uint16)), "1 is read as the animal"),
    "0 and 128": (Image.fromarray(ONE * 128), "0 and 128; 128 is read as the animal"),
    "trimap without border": (Image.fromarray(np.where(ANIMAL, 1, 2).astype(np.uint8)), "Oxford's trimaps"),
    "classes of a palette": (palette(ONE, [(0, 0, 0), (128, 0, 0)]), "black is read as background.*#800000"),
    "red on black": (Image.fromarray(np.dstack([ONE * 200, ONE * 0, ONE * 0])), "the other colour .#c80000. as"),
    "alpha alone": (Image.fromarray(LAYERS), "the alpha channel is read as the mask"),
    "a cut-out": (Image.fromarray(CUT_OUT), "the alpha channel is read as the mask"),
    "white with alpha": (Image.fromarray(np.dstack([ONE * 0 + 255, ONE * 255]), "LA"), "the alpha channel"),
}  # fmt: skip
REFUSED = {
    "one grey": (Image.new("L", (48, 32), 90), r"only 0 and 255, but holds 90 \(100%\)"),
    "three classes": (Image.fromarray(ONE + ONE * ANIMAL[::-1, ::-1].cumsum(1).astype(np.uint8) % 3), r"holds 0 \("),
    "border of 128": (Image.fromarray(np.where(BORDER, 128, ONE * 255).astype(np.uint8)), r"128 \(\d+%\), 255"),
    "a grey picture": (Image.fromarray(np.arange(1536, dtype=np.uint32).reshape(32, 48).astype(np.uint8)), "holds 0"),
    "a photograph": (Image.fromarray(CUT_OUT[..., :3]), "is a picture of .* colours, not a mask"),
    "two masks": (Image.fromarray(np.dstack([255 - ONE * 255] * 3 + [ONE * 255])), "hold two different masks"),
}


def saved(image: Image.Image, folder: Path, name: str = "a.png") -> Path:
    image.save(folder / name)
    return folder / name


@pytest.mark.parametrize("image", SILENT.values(), ids=SILENT)
def test_masks_that_need_no_word(tmp_path: Path, image: Image.Image) -> None:
    mask, assumed = masks.read(saved(image, tmp_path))
    assert mask.dtype == bool and (mask == ANIMAL).all() and assumed == ""


@pytest.mark.parametrize(("image", "told"), TOLD.values(), ids=TOLD)
def test_masks_that_are_read_with_a_word(tmp_path: Path, image: Image.Image, told: str) -> None:
    with pytest.warns(DataWarning, match=rf"a\.png.*{told}"):
        assert (files._read_mask(saved(image, tmp_path)) == ANIMAL).all()


@pytest.mark.parametrize(("image", "told"), REFUSED.values(), ids=REFUSED)
def test_masks_that_could_mean_several_things(tmp_path: Path, image: Image.Image, told: str) -> None:
    with pytest.raises(DataError, match=rf"a\.png.*{told}.* Write 255 where the animal is"):
        masks.read(saved(image, tmp_path))


@pytest.mark.parametrize(
    "numbers", [np.where(BORDER, 3, np.where(ANIMAL, 1, 2)), np.where(BORDER, 255, ONE * 8)], ids=["trimap", "VOC"]
)
def test_a_border_belongs_to_the_animal(tmp_path: Path, numbers: np.ndarray) -> None:
    mask, assumed = masks.read(saved(Image.fromarray(numbers.astype(np.uint8)), tmp_path))
    assert (mask == (ANIMAL | BORDER)).all()
    assert "border" in assumed


@pytest.mark.parametrize("values", [ONE.astype(np.float32), ONE.astype(np.float32) * 255, ONE.astype(np.int32)])
def test_masks_of_a_tiff(tmp_path: Path, values: np.ndarray) -> None:
    assert (masks.read(saved(Image.fromarray(values), tmp_path, "a.tif"))[0] == ANIMAL).all()
    if values.dtype == np.float32:
        values[3, 4] = np.nan
        with pytest.raises(DataError, match="holds a number that is none"):
            masks.read(saved(Image.fromarray(values), tmp_path, "a.tif"))


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_masks_blurred_a_little(tmp_path: Path, name: str, mode: str) -> None:
    smooth = Image.fromarray(ONE * 255).resize((480, 320)).convert(mode)
    smooth.save(tmp_path / name, quality=70)
    mask, assumed = masks.read(tmp_path / name)
    assert "cut at 128" in assumed
    assert np.mean(mask != (np.asarray(smooth.convert("L")) > 127)) < 0.005


def test_one_warning_for_many_masks() -> None:
    paths = [(Path(f"{number}.png"), "numbers") for number in range(20)] + [(Path("x.png"), "alpha"), (Path("y"), "")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        masks.warn_of_assumptions(paths)
    assert [str(one.message) for one in caught] == ["0.png and 19 more: numbers.", "x.png: alpha."]


@settings(max_examples=100)
@given(
    mask=st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda shape: arrays(bool, shape)),
    kind=st.sampled_from(["L", "1", "P", "RGB", "RGBA", "I;16"]),
)
def test_no_kind_of_file_changes_a_mask(tmp_path_factory, mask, kind) -> None:
    path = tmp_path_factory.mktemp("masks") / "a.png"
    values = mask.astype(np.uint8) * 255
    image = Image.fromarray(values.astype(np.uint16) * 257) if kind == "I;16" else Image.fromarray(values).convert(kind)
    image.save(path)
    found, assumed = masks.read(path)
    assert (found == mask).all() and assumed == ""


@pytest.mark.parametrize("empty", [True, False])
def test_empty_and_full_masks_go_through_a_submission(tmp_path: Path, empty: bool) -> None:
    mask = np.full((5, 7), not empty)
    frame = files.submission([3], [mask])
    frame.to_csv(tmp_path / "s.csv", index=False)
    back = files.parse_submission(tmp_path / "s.csv")
    assert (files.decode_mask(back["mask"][0]) == mask).all()
