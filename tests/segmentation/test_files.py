"""The competition's files: right ones are read, wrong ones are refused by name."""

from __future__ import annotations

import base64
import io
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from neoai_utils.errors import DataError, DataWarning, SubmissionError
from neoai_utils.scores import Grades
from neoai_utils.segmentation import files
from tests.segmentation.conftest import write_picture

MASKS = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda shape: arrays(bool, shape))


def png_text(values: np.ndarray, mode: str = "L") -> str:
    buffer = io.BytesIO()
    Image.fromarray(values).convert(mode).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def answer(competition):
    """An acceptable submission for the competition folder: everything empty."""
    cuties = files.read(competition)
    return files.submission(cuties.test_ids, [np.zeros(size, dtype=bool) for size in cuties.test_images.sizes()])


def test_real_layout_is_read(competition):
    cuties = files.read(competition)
    assert cuties.val_ids == ("beagle_0", "beagle_1", "beagle_2")
    assert cuties.test_ids == (0, 3, 7, 10)  # as numbers, not as text
    assert cuties.val_images[2].shape == (798, 600, 3)
    assert cuties.val_images[2].dtype == np.uint8
    assert [mask.shape for mask in cuties.val_masks] == [(202, 249), (375, 500), (798, 600)]
    assert cuties.val_masks[1].mean() == pytest.approx(1 / 16, abs=0.01)
    assert len(cuties.test_images[1:]) == 3


def test_submission_has_the_official_form(competition, answer):
    files.check_submission(answer, competition)
    assert list(answer.columns) == ["img_id", "mask"]
    image = Image.open(io.BytesIO(base64.b64decode(answer["mask"][1])))
    assert (image.format, image.mode, image.size) == ("PNG", "L", (600, 798))


@given(MASKS)
@settings(max_examples=50)
def test_masks_survive_the_way_through_the_submission(mask):
    assert np.array_equal(files.decode_mask(files.encode_mask(mask)), mask)


def test_grade_and_parse(competition, answer, tmp_path):
    (tmp_path / "answers/test_masks").mkdir(parents=True)
    for number, size in zip(
        files.read(competition).test_ids, [(202, 249), (225, 300), (375, 500), (798, 600)], strict=True
    ):
        truth = np.zeros(size, dtype=np.uint8)
        truth[:, : size[1] // 2] = 255 if number in (0, 3) else 0
        Image.fromarray(truth).save(tmp_path / f"answers/test_masks/{number}.png")
    truths = {int(p.stem): p for p in (tmp_path / "answers/test_masks").iterdir()}
    sizes = {n: Image.open(p).size[::-1] for n, p in truths.items()}
    frame = files.submission(sizes, [np.zeros(size, dtype=bool) for size in sizes.values()])
    frame.to_csv(tmp_path / "submission.csv", index=False)
    back = files.parse_submission(tmp_path / "submission.csv")
    assert files.grade(back, tmp_path / "answers") == Grades(0.5)


# ------------------------------------------------------------------------------------------ faults in the data


def test_missing_folder_is_named(competition):
    shutil.rmtree(competition / "cuties/val_masks")
    with pytest.raises(DataError, match=r"no cuties/val_masks; found there: test_imgs, val_imgs"):
        files.read(competition)


def test_missing_data_dir(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        files.read(tmp_path / "nowhere")


def test_pictures_without_mask_and_masks_without_picture_are_left_out(competition):
    folder = competition / "cuties/val_masks"
    (folder / "beagle_1.png").rename(folder / "pug_4.png")
    with pytest.warns(DataWarning) as caught:
        cuties = files.read(competition)
    assert cuties.val_ids == ("beagle_0", "beagle_2")
    assert [mask.shape for mask in cuties.val_masks] == [(202, 249), (798, 600)]
    said = sorted(str(one.message) for one in caught)
    assert "val_imgs: beagle_1.jpg without a mask of the same name" in said[0]
    assert "val_masks: pug_4.png without a picture of the same name" in said[1]


def test_no_mask_at_all(competition):
    for path in (competition / "cuties/val_masks").iterdir():
        path.rename(path.with_stem(f"{path.stem}_mask"))
    with pytest.raises(
        DataError, match=r"no mask of a picture.*called beagle_0, .*the masks beagle_0_mask.*same names"
    ):
        files.read(competition)


def test_files_under_other_ends(competition):
    """Upper-case ends, masks that are no PNG: same ids, same masks."""
    plain = files.read(competition)
    for path in (competition / "cuties").glob("*_imgs/*.jpg"):
        path.rename(
            path.with_name(f"{path.stem}.JPG".upper() if path.stem in ("7", "beagle_0") else f"{path.stem}.jpeg")
        )
    for path in (competition / "cuties/val_masks").iterdir():
        Image.open(path).save(path.with_suffix(".BMP"))
        path.unlink()
    found = files.read(competition)
    assert found.val_ids == ("BEAGLE_0", "beagle_1", "beagle_2")
    assert found.test_ids == plain.test_ids
    assert all((one == other).all() for one, other in zip(found.val_masks, plain.val_masks, strict=True))
    frame = files.submission(found.test_ids, [np.ones(size, bool) for size in found.test_images.sizes()])
    files.check_submission(frame, competition)


@pytest.mark.parametrize("part, name", [("val_imgs", "beagle_1.png"), ("test_imgs", "07.jpg"), ("test_imgs", "7.PNG")])
def test_two_pictures_of_one_name(competition, part, name):
    write_picture(competition / "cuties" / part / name, (9, 9), 0)
    with pytest.raises(DataError, match=rf"{name.split('.')[0]}.*Remove one of them"):
        files.read(competition)


def test_the_three_folders_without_the_one_around_them(competition):
    assert files.read(competition / "cuties").val_ids == files.read(competition).val_ids
    files.check_submission(
        files.submission(files.read(competition).test_ids, map(np.zeros, files.read(competition).test_images.sizes())),
        competition / "cuties",
    )


# ---------------------------------------------------------------------------------------------- EXIF orientation

TALL = np.zeros((24, 16, 3), np.uint8)
TALL[:6] = 200


def turned(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def camera(folder, number, mask, test=()):
    """Write one labelled picture with an orientation, stored 24 wide and 16 high or the contrary, and test pictures."""
    for name in files.REQUIRED:
        (folder / name).mkdir(parents=True)
    stored = Image.fromarray(TALL).transpose(Image.Transpose.ROTATE_90) if number >= 5 else Image.fromarray(TALL)
    stored.save(folder / "cuties/val_imgs/pug_0.png", exif=turned(number))
    Image.fromarray(mask).save(folder / "cuties/val_masks/pug_0.png")
    for name, own in enumerate(test or [1]):
        stored.save(folder / f"cuties/test_imgs/{name}.png", exif=turned(own))
    return stored


def test_a_mask_drawn_on_the_turned_picture(tmp_path):
    camera(tmp_path, 6, TALL[..., 0] // 200 * 255, test=[6, 1])
    with pytest.warns(DataWarning, match=r"pug_0\.png and 1 more, with an orientation.*turned as viewers turn them"):
        cuties = files.read(tmp_path)
    assert (cuties.val_images[0] == TALL).all()
    assert (cuties.val_masks[0] == (TALL[..., 0] > 0)).all()
    assert cuties.test_images.sizes() == [(24, 16), (16, 24)]
    assert [picture.shape[:2] for picture in cuties.test_images] == [(24, 16), (16, 24)]
    files.check_submission(files.submission((0, 1), [np.ones((24, 16)), np.ones((16, 24))]), tmp_path)


def test_a_mask_drawn_on_the_stored_pixels(tmp_path):
    """Then nothing is turned, the test pictures neither: their masks are made the same way."""
    stored = camera(tmp_path, 6, np.full((16, 24), 255, np.uint8), test=[6, 1])
    with pytest.warns(DataWarning, match=r"pug_0\.png and 1 more, .*left as stored, because masks of val_masks fit"):
        cuties = files.read(tmp_path)
    assert (cuties.val_images[0] == np.asarray(stored)).all()
    assert cuties.test_images.sizes() == [(16, 24), (16, 24)]
    assert all((picture == np.asarray(stored)).all() for picture in cuties.test_images)
    files.check_submission(files.submission((0, 1), [np.ones((16, 24))] * 2), tmp_path)
    with pytest.raises(SubmissionError, match="img_id 0: the mask is 16x24, its picture 24x16"):
        files.check_submission(files.submission((0, 1), [np.ones((24, 16))] * 2), tmp_path)


def test_upside_down_the_size_tells_nothing_and_the_picture_is_turned(tmp_path):
    stored = camera(tmp_path, 3, np.full((24, 16), 255, np.uint8))
    with pytest.warns(DataWarning, match="turned as viewers turn them; masks are those of the turned pictures"):
        cuties = files.read(tmp_path)
    assert (cuties.val_images[0] == np.asarray(stored)[::-1, ::-1]).all()


def test_a_mask_that_fits_in_neither_way_is_told_with_the_orientation(tmp_path):
    camera(tmp_path, 6, np.full((24, 24), 255, np.uint8))
    with pytest.raises(
        DataError, match=r"is 24x24, its picture pug_0\.png is 16x24 .*by its EXIF orientation 6\. .*scale"
    ):
        files.read(tmp_path)


def test_a_mask_on_its_side(tmp_path):
    camera(tmp_path, 1, np.full((16, 24), 255, np.uint8))
    with pytest.raises(DataError, match=r"is 24x16, its picture pug_0\.png is 16x24.*turn the mask by 90 degrees"):
        files.read(tmp_path)


def test_empty_folder(competition):
    for path in (competition / "cuties/test_imgs").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"test_imgs holds no picture; found: nothing"):
        files.read(competition)


@pytest.mark.parametrize(
    "folder, name", [("val_imgs", "beagle_1.jpg"), ("test_imgs", "7.jpg"), ("val_masks", "beagle_1.png")]
)
@pytest.mark.parametrize("keep", [0, 60, 400])
def test_damaged_picture_is_named(competition, folder, name, keep):
    path = competition / "cuties" / folder / name
    path.write_bytes(path.read_bytes()[:keep] if keep < path.stat().st_size else b"x")
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        files.read(competition)


def test_mask_of_another_size(competition):
    path = competition / "cuties/val_masks/beagle_1.png"
    Image.open(path).resize((499, 375), Image.Resampling.NEAREST).save(path)
    with pytest.raises(DataError, match=r"beagle_1\.png is 499x375, its picture beagle_1\.jpg is 500x375"):
        files.read(competition)


def test_many_masks_of_zeros_and_ones_give_one_warning(competition):
    plain = files.read(competition)
    for path in (competition / "cuties/val_masks").iterdir():
        Image.fromarray(np.asarray(Image.open(path)) // 255).save(path)
    with pytest.warns(DataWarning, match=r"beagle_0\.png and 2 more: it holds 0 and 1 .*read as the animal") as caught:
        found = files.read(competition)
    assert len(caught) == 1
    assert all((one == other).all() for one, other in zip(found.val_masks, plain.val_masks, strict=True))


def test_test_picture_without_a_number(competition):
    (competition / "cuties/test_imgs/7.jpg").rename(competition / "cuties/test_imgs/seven.jpg")
    with pytest.raises(DataError, match=r"seven\.jpg: a test picture's name must be a whole number"):
        files.read(competition)


# ------------------------------------------------------------------------------------ faults in the submission


def test_missing_extra_and_duplicate_rows(competition, answer):
    with pytest.raises(SubmissionError, match="misses img_id 10"):
        files.check_submission(answer.iloc[:-1], competition)
    with pytest.raises(SubmissionError, match="unknown img_id 99"):
        files.check_submission(pd.concat([answer, answer.iloc[:1].assign(img_id=99)]), competition)
    with pytest.raises(SubmissionError, match="img_id 0 twice"):
        files.check_submission(pd.concat([answer, answer.iloc[:1]]), competition)


def test_wrong_columns_and_gaps(competition, answer):
    with pytest.raises(SubmissionError, match="img_id, mask"):
        files.check_submission(answer.rename(columns={"img_id": "id"}), competition)
    with pytest.raises(SubmissionError, match="no mask in row 1"):
        files.check_submission(answer.assign(mask=[None, *answer["mask"][1:]]), competition)


@pytest.mark.parametrize(
    "text, message",
    [
        ("not base64!", "does not decode"),
        (base64.b64encode(b"GIF89a, no PNG").decode(), "does not decode"),
        (files.encode_mask(np.zeros((375, 500), dtype=bool))[:40], "does not decode"),
        ("", "does not decode"),
        (png_text(np.zeros((375, 500), dtype=np.uint8), "RGB"), "mode RGB"),
        (png_text(np.zeros((375, 500), dtype=np.uint8), "1"), "mode 1"),
        (png_text(np.full((375, 500), 128, dtype=np.uint8)), "only 0 and 255, but also holds 128.*encode_mask"),
        (png_text(np.ones((375, 500), dtype=np.uint8)), "only 0 and 255, but also holds 1. Multiply it by 255"),
        (files.encode_mask(np.zeros((500, 375), dtype=bool)), "375x500, its picture 500x375"),
    ],
)  # fmt: skip
def test_wrong_mask_is_refused_by_its_id(competition, answer, text, message):
    answer.loc[answer["img_id"] == 7, "mask"] = text
    with pytest.raises(SubmissionError, match=message) as caught:
        files.check_submission(answer, competition)
    assert "img_id 7" in str(caught.value)


def test_class_names_of_the_original_and_of_the_miniature(competition):
    assert len(files.class_names(competition)) == 37
    (competition / "clip").mkdir()
    path = competition / "clip/classes.json"
    path.write_text('["tabby cat", "beagle dog"]', encoding="utf-8")
    assert files.class_names(competition) == ("tabby cat", "beagle dog")
    for broken in ('["tabby cat"', "[]", '{"a": 1}', "[1, 2]"):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(DataError, match=r"classes\.json"):
            files.class_names(competition)
