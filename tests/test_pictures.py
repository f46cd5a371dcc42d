"""Pictures as people save them: which files of a folder they are, and what is seen in them."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from neoai_utils import pictures, runtime
from neoai_utils.errors import DataError, DataWarning

CORNERS = np.zeros((16, 24, 3), np.uint8)
CORNERS[:8, :12], CORNERS[:8, 12:], CORNERS[8:, :12] = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def with_orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def write(folder: Path, *names: str) -> None:
    for name in names:
        Image.new("RGB", (6, 4)).save(folder / name, "PNG")


# ------------------------------------------------------------------------------------------------------ listing


def test_names_of_pictures_in_any_spelling(tmp_path: Path) -> None:
    ours = ["0.jpg", "1.JPG", "2.jpeg", "3.Png", "4.BMP", "5.webp", "6.TIF", "7.tiff", "8.gif"]
    write(tmp_path, *ours, "._0.jpg", ".hidden.png", "Thumbs.db", ".DS_Store", "notes.txt", "noend")
    (tmp_path / "folder.jpg").mkdir()
    assert [path.name for path in pictures.listed(tmp_path)] == ours
    assert list(pictures.by_number(pictures.listed(tmp_path))) == list(range(9))


def test_what_is_no_picture_for_us_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "b.heic", "c.HEIC")
    with pytest.warns(DataWarning, match=r"b\.heic and 1 more: .*left out.*JPEG or PNG"):
        assert [path.name for path in pictures.listed(tmp_path)] == ["a.jpg"]


def test_an_archive_unpacked_into_its_own_folder(tmp_path: Path) -> None:
    inner = tmp_path / "test_images" / "test_images"
    inner.mkdir(parents=True)
    write(inner, "a.png")
    with pytest.warns(DataWarning, match="a folder of the same name"):
        assert pictures.listed(tmp_path / "test_images") == (inner / "a.png",)


def test_folders_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        pictures.listed(tmp_path / "absent")
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"holds no picture; found: a\.txt\. Copy the pictures there"):
        pictures.listed(tmp_path)


def test_listing_opens_no_picture(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"{number}.JPG").touch()
    assert list(pictures.by_number(pictures.listed(tmp_path))) == list(range(1000))  # empty files cannot be opened


@pytest.mark.parametrize("twin", ["07.jpg", "7.png", "7.JPG", "007.jpeg"])
def test_two_pictures_of_one_number(tmp_path: Path, twin: str) -> None:
    write(tmp_path, "7.jpg", twin)
    with pytest.raises(DataError, match="have the same number 7. Remove one"):
        pictures.by_number(pictures.listed(tmp_path))


def test_a_name_without_number_is_named(tmp_path: Path) -> None:
    write(tmp_path, "0.jpg", "1 (copy).jpg")
    with pytest.raises(DataError, match=r"1 \(copy\)\.jpg: .*must be a whole number"):
        pictures.by_number(pictures.listed(tmp_path))


# ------------------------------------------------------------------------------------------------------ turning


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("number", range(1, 9))
def test_pictures_are_turned_as_viewers_turn_them(tmp_path: Path, kind: str, number: int) -> None:
    """The stored pixels are those of the picture turned back; known answer: the picture."""
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[number]  # Image.Transpose undoing each orientation
    stored = Image.fromarray(CORNERS)
    if back is not None:
        stored = stored.transpose(Image.Transpose(back))
    options = {"lossless": True} if kind == "WEBP" else {}
    stored.save(tmp_path / "a.png", kind, exif=with_orientation(number), **options)
    assert (pictures.read(tmp_path / "a.png") == CORNERS).all()
    assert pictures.header(tmp_path / "a.png").size() == (16, 24)
    if kind != "TIFF":  # which Pillow itself turns
        assert pictures.header(tmp_path / "a.png").orientation == number
        assert (pictures.read(tmp_path / "a.png", turned=False) == np.asarray(stored)).all()
        assert pictures.header(tmp_path / "a.png").stored == stored.size[::-1]


def test_strange_exif_data_turn_nothing(tmp_path: Path) -> None:
    stored = Image.fromarray(CORNERS)
    for exif in (with_orientation(9), with_orientation(0), b"Exif\0\0no TIFF header", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        stored.save(tmp_path / "a.png", exif=exif)
        assert (pictures.read(tmp_path / "a.png") == CORNERS).all()
        assert pictures.header(tmp_path / "a.png") == pictures.Header((16, 24))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_data_that_cannot_be_written_do_not_hinder_turning(tmp_path: Path, monkeypatch, kind: str) -> None:
    Image.new("RGB", (24, 16)).save(tmp_path / "a.png", kind, exif=with_orientation(6))

    def fail(_: Image.Exif, offset: int = 8) -> bytes:
        raise struct.error(f"a value out of range at {offset}")

    monkeypatch.setattr(Image.Exif, "tobytes", fail)
    assert pictures.read(tmp_path / "a.png").shape == (24, 16, 3)


# ------------------------------------------------------------------------------------------------- kinds of pixels


GREY = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (GREY, GREY),
        (GREY.astype(np.uint16) * 257, GREY),
        (GREY.astype(np.uint16), GREY),  # eight bits in a file of sixteen
        (GREY.astype(np.int32) * 257, GREY),
        (GREY.astype(np.float32), GREY),
        (GREY.astype(np.float32) / 255, GREY),
        (GREY.astype(np.float32) * 257, GREY),
        (GREY > 100, np.where(GREY > 100, 255, 0)),
    ],
)
def test_grey_of_any_depth(tmp_path: Path, values: np.ndarray, wanted: np.ndarray) -> None:
    Image.fromarray(values).save(tmp_path / "a.tif")
    found = pictures.read(tmp_path / "a.tif")
    assert found.shape == (16, 16, 3) and found.dtype == np.uint8
    assert all((found[..., channel] == wanted).all() for channel in range(3))


def test_a_16_bit_png_is_not_cut(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "a.png")
    assert (pictures.read(tmp_path / "a.png")[..., 0] == GREY).all()


@pytest.mark.parametrize(("value", "told"), [(np.nan, "nan"), (np.inf, "inf"), (-3, "-3")])
def test_numbers_that_are_no_grey_are_refused_with_their_place(tmp_path: Path, value: float, told: str) -> None:
    values = np.ones((8, 9), np.float32)
    values[5, 7] = value
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=rf"a\.tif: the grey value in row 5, column 7 is {told}\. Save"):
        pictures.read(tmp_path / "a.tif")


def test_more_than_16_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 1e6, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="has more than 16 bits"):
        pictures.read(tmp_path / "a.tif")


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    layered = np.dstack([CORNERS, np.full((16, 24), 255, np.uint8)])
    layered[:4, :, 3] = 0
    wanted = CORNERS.copy()
    wanted[:4] = 255
    Image.fromarray(layered).save(tmp_path / "a.png")
    assert (pictures.read(tmp_path / "a.png") == wanted).all()
    grey = np.dstack([np.full((4, 4), 9, np.uint8), np.diag([0, 255, 255, 255]).astype(np.uint8)])
    Image.fromarray(grey, "LA").save(tmp_path / "b.png")
    assert (np.diag(pictures.read(tmp_path / "b.png")[..., 0]) == [255, 9, 9, 9]).all()
    palette = Image.fromarray(CORNERS).quantize(4)
    index = palette.getpixel((0, 0))
    palette.save(tmp_path / "c.png", transparency=index)
    seen = pictures.read(tmp_path / "c.png")
    assert (seen[0, 0] == 255).all() and (seen[0, 23] == (0, 250, 0)).all()


@pytest.mark.parametrize("alpha", [0, 255])
def test_an_alpha_channel_that_says_nothing(tmp_path: Path, alpha: int) -> None:
    Image.fromarray(np.dstack([CORNERS, np.full((16, 24), alpha, np.uint8)])).save(tmp_path / "a.png")
    assert (pictures.read(tmp_path / "a.png") == CORNERS).all()


def test_palettes_cmyk_and_moving_pictures(tmp_path: Path) -> None:
    drawn = Image.fromarray(CORNERS)
    drawn.quantize(4).save(tmp_path / "palette.png")
    drawn.convert("CMYK").save(tmp_path / "print.tif")
    drawn.save(tmp_path / "moves.gif", save_all=True, append_images=[ImageOps.invert(drawn)])
    drawn.save(tmp_path / "called.jpg", "PNG")
    for name in ("palette.png", "print.tif", "moves.gif", "called.jpg"):
        assert (pictures.read(tmp_path / name) == CORNERS).all(), name


# ---------------------------------------------------------------------------------------------------- broken files


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty. Copy the file again"),
        (bytes(4000), "it begins with zero bytes alone. Copy"),
        (
            b"\n<!DOCTYPE html><html><title>Log in</title>",
            r"it is a web page \(HTML or XML\), .* Sign in and download",
        ),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "it is a Git LFS pointer.*git lfs pull"),
        (b"PK\x03\x04 half", "it is half a ZIP archive. Copy"),
        (b"\x1f\x8b packed", "it is packed by gzip. Unpack it"),
        (b"\x89PNG but no more", "(?!it is a picture)"),
        (b"hello", "cannot identify image file"),
    ],
)
def test_what_a_file_is_in_place_of_a_picture(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    for reader in (pictures.read, pictures.header):
        with pytest.raises(DataError, match=rf"a\.jpg does not decode as a picture: {told}"):
            reader(tmp_path / "a.jpg")


def test_large_pictures_are_read_without_a_word_and_gigantic_ones_refused(tmp_path: Path, monkeypatch) -> None:
    Image.fromarray(CORNERS).save(tmp_path / "a.png")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runtime.quiet_libraries()
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", CORNERS[..., 0].size - 1)  # from here on Pillow warns
        assert (pictures.read(tmp_path / "a.png") == CORNERS).all()
    assert caught == []
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", CORNERS[..., 0].size // 2 - 1)  # from twice that on it refuses
    with pytest.raises(DataError, match=r"a\.png does not decode as a picture: .*Copy it again, or scale it down"):
        pictures.read(tmp_path / "a.png")


def test_a_missing_picture(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jpg does not exist"):
        pictures.read(tmp_path / "a.jpg")


def encoded(kind: str) -> bytes:
    with io.BytesIO() as buffer:
        image = Image.fromarray(CORNERS)
        image.save(buffer, kind, exif=with_orientation(6)) if kind not in ("GIF", "BMP") else image.save(buffer, kind)
        return buffer.getvalue()


@settings(max_examples=300)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"]),
    hits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    keep=st.floats(0, 1),
)
def test_damaged_pictures_are_read_or_refused(tmp_path_factory, kind, hits, keep) -> None:
    content = bytearray(encoded(kind))
    for place, value in hits:
        content[int(place * len(content))] = value
    path = tmp_path_factory.mktemp("damaged") / "a.png"
    path.write_bytes(content[: round(keep * len(content))])
    for reader in (pictures.read, pictures.header):
        try:
            reader(path)
        except DataError as error:
            assert str(path) in str(error)
