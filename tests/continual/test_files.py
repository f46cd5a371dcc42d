"""The competition's files: what is read, refused, submitted and graded."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neoai_utils.continual import files
from neoai_utils.errors import DataError, DataWarning, SubmissionError


def test_reads_what_is_given(competition: Path) -> None:
    data = files.read(competition)
    assert [path.name for path in data.train_paths] == ["a.jpg", "b.png", "c.jpg"]
    assert data.train_classes.tolist() == [4, 92, 4]
    assert data.test_ids == ("10.jpg", "2.jpg", "x.png", "y.webp")  # by name, other files left out
    assert data.side == 224
    assert data.weak.tolist() == [4, 92]
    assert len(data.old) == 100
    assert not set(data.old) & {4, 92}


@pytest.mark.parametrize("name", files.REQUIRED)
def test_a_missing_part_is_named(competition: Path, name: str) -> None:
    (competition / name).rename(competition / "elsewhere")
    with pytest.raises(DataError, match=rf"has no {re.escape(name)}; found there: .*elsewhere"):
        files.read(competition)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,class\na.jpg,4\n", "no column 'path'"),
        ("path,class\n", "no rows"),
        ("path,class\na.jpg,four\n", "must hold whole numbers"),
        ("path,class\na.jpg,102\n", "class 102 is not one of 0 to 101"),
        ("path,class\na.jpg,-1\n", "class -1 is not one of"),
        ("path,class\na.jpg,4\na.jpg,5\n", "a.jpg appears more than once"),
        ("path,class\nz.jpg,4\n", "names the picture 'z.jpg'"),
        ("path,class\n../model.pt,4\n", "names the picture '../model.pt'"),
        ("path,class\na.jpg,\n", "no value in data row 1"),
    ],
)
def test_a_bad_table_is_refused(competition: Path, table: str, message: str) -> None:
    (competition / "train.csv").write_text(table)
    with pytest.raises(DataError, match=re.escape(message)):
        files.read(competition)


def test_numbers_that_begin_at_one_are_recognised(competition: Path) -> None:
    (competition / "train.csv").write_text("path,class\na.jpg,1\nb.png,102\n")
    with pytest.raises(DataError, match=r"class 102 is not one of 0 to 101\. Subtract 1 from all"):
        files.read(competition)


@pytest.mark.parametrize("spelling", ["4", "4.0", '"4"', " 4"])
def test_classes_in_other_spellings(competition: Path, spelling: str) -> None:
    (competition / "train.csv").write_text(f"path,class\na.jpg,{spelling}\nb.png,92\nc.jpg,{spelling}\n")
    assert files.read(competition).train_classes.tolist() == [4, 92, 4]


@pytest.mark.parametrize(
    "name",
    ["A.JPG", "train_images/a.jpg", "train_images\\a.jpg", "./a.jpg", "C:\\data\\a.jpg", "/kaggle/input/x/a.jpg", "a"],
)
def test_names_of_pictures_in_other_spellings(competition: Path, name: str) -> None:
    (competition / "train.csv").write_text(f"path,class\n{name},4\nb.png,92\nc.jpg,4\n")
    assert [path.name for path in files.read(competition).train_paths] == ["a.jpg", "b.png", "c.jpg"]


def test_accents_of_a_mac(competition: Path) -> None:
    """A Mac's archives spell é as e and an accent, a table written elsewhere as one letter."""
    (competition / "train_images/a.jpg").rename(competition / "train_images/caf\u0065\u0301.jpg")
    (competition / "train.csv").write_text("path,class\ncaf\u00e9.jpg,4\nb.png,92\nc.jpg,4\n", encoding="utf-8")
    assert len(files.read(competition).train_paths) == 3


def test_a_name_that_fits_several_pictures_means_none(competition: Path) -> None:
    folder = competition / "train_images"
    (folder / "A.jpg").write_bytes((folder / "a.jpg").read_bytes())
    with pytest.warns(DataWarning, match=r"A\.jpg in no row of train\.csv"):
        assert files.read(competition).train_paths[0] == folder / "a.jpg", "the exact name goes before the others"
    (folder / "a.jpg").rename(folder / "a.JPG")
    with pytest.warns(DataWarning, match=r"names a\.jpg, which .*train_images lacks"):
        assert [path.name for path in files.read(competition).train_paths] == ["b.png", "c.jpg"]


def test_rows_without_picture_and_pictures_without_row_are_left_out(competition: Path) -> None:
    (competition / "train_images/c.jpg").rename(competition / "train_images/d.jpg")
    with pytest.warns(DataWarning) as caught:
        data = files.read(competition)
    assert data.train_classes.tolist() == [4, 92]
    said = [str(one.message) for one in caught if one.category is DataWarning]
    assert "train.csv names c.jpg, which" in said[0] and "left out" in said[0]
    assert "train_images: d.jpg in no row of train.csv; left out" in said[1]


def test_a_class_that_loses_all_its_pictures_stops(competition: Path) -> None:
    """It would count as an old class from then on."""
    (competition / "train_images/b.png").unlink()
    with pytest.raises(DataError, match=r"names the picture 'b\.png'.*no other picture of class 92"):
        files.read(competition)


def test_one_picture_under_two_names(competition: Path) -> None:
    (competition / "train.csv").write_text("path,class\na.jpg,4\nb.png,92\ntrain_images/a.jpg,4\n")
    with pytest.raises(DataError, match=r"a\.jpg is named in two rows"):
        files.read(competition)


def test_pictures_are_turned_as_viewers_turn_them(tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.zeros((20, 10, 3), np.uint8)
    upright[:10] = 255
    Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.png", exif=exif)
    picture = files.pixels([tmp_path / "a.png"], 20)[0].transpose(1, 2, 0)
    assert (picture[:10, 5:15] == 255).all() and picture[10:].max() == 0


def test_an_empty_test_folder_is_refused(competition: Path) -> None:
    for path in (competition / "test_images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="holds no picture; found: nothing"):
        files.read(competition)


@pytest.mark.parametrize("text", ["[]", "{}", '{"side": "big"}', '{"side": 8}', "{"])
def test_bad_settings_are_refused(competition: Path, text: str) -> None:
    (competition / "settings.json").write_text(text)
    with pytest.raises(DataError, match=r"settings\.json"):
        files.read(competition)


def test_an_undecodable_picture_is_named(competition: Path) -> None:
    path = competition / "train_images" / "b.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"b\.png does not decode"):
        files.pixels(files.read(competition).train_paths, 32)


def test_grey_and_transparent_pictures_become_rgb(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (8, 8), 200).save(tmp_path / "grey.png")
    Image.new("RGBA", (8, 8), (10, 20, 30, 255)).save(tmp_path / "alpha.png")
    pixels = files.pixels([tmp_path / "grey.png", tmp_path / "alpha.png"], 4)
    assert pixels.shape == (2, 3, 4, 4)
    assert pixels[0, :, 1, 1].tolist() == [200, 200, 200]
    assert pixels[1, :, 1, 1].tolist() == [10, 20, 30]


def test_submission_goes_out_and_comes_back(competition: Path, tmp_path: Path) -> None:
    frame = files.submission(files.read(competition).test_ids, np.array([1, 2, 3, 101]))
    files.check_submission(frame, competition)
    frame.to_csv(tmp_path / "s.csv", index=False)
    pd.testing.assert_frame_equal(files.parse_submission(tmp_path / "s.csv"), frame)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.rename(columns={"class": "label"}), "has the columns id, class"),
        (lambda f: f[:-1], "misses id y.webp"),
        (lambda f: pd.concat([f, f[:1]]), "has the id 10.jpg twice"),
        (lambda f: f.assign(id=["10.jpg", "2.jpg", "x.png", "z.png"]), "misses id y.webp"),
        (lambda f: f.assign(**{"class": [0, 1, 2, 102]}), "y.webp: class 102 is not"),
        (lambda f: f.assign(**{"class": [0, 1, 2, 2.5]}), "id y.webp: the class must be a whole number, not 2.5"),
        (lambda f: f.assign(**{"class": [0, None, 2, 3]}), "has no class in row 2"),
    ],
)
def test_a_bad_submission_is_refused(competition: Path, change, message: str) -> None:
    frame = files.submission(files.read(competition).test_ids, np.arange(4))
    with pytest.raises(SubmissionError, match=re.escape(message)):
        files.check_submission(change(frame), competition)


def test_a_submission_needs_one_prediction_for_each_picture() -> None:
    with pytest.raises(SubmissionError, match="shape"):
        files.submission(["a.png", "b.png"], np.arange(3))


def test_a_submission_is_graded_in_any_order(tmp_path: Path) -> None:
    (tmp_path / files.ANSWERS).write_text("id,class,weak\na,0,0\nb,1,0\nc,2,0\nd,4,1\n")
    grades = files.grade(pd.DataFrame({"id": ["d", "c", "b", "a"], "class": [4, 9, 9, 0]}), tmp_path)
    assert grades.score == 0.5
    assert grades.parts == pytest.approx({"old": 1 / 3, "weak": 1.0, "mean": 2 / 3})
