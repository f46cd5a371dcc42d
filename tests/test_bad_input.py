"""Bad input of every kind: what is told, where it is, and the remedy; and that nothing is left behind.

Each line of the tables is one kind. `told` are parts of the message in order: what is wrong and where, then what to do.
"""

# ruff: noqa: E501 - a table reads best with a row a line

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from neoai_utils import miniatures, parameters, workspace
from neoai_utils.commands import app
from neoai_utils.commands import run as runs
from neoai_utils.errors import DataError, DataWarning, NeoaiError, ParameterError, SubmissionError
from tests.eight import SMALL, TASKS, files_of, picture, zipped

Damage = Callable[[Path], object]


def lost(name: str) -> Damage:
    return lambda folder: shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


def holds(name: str, content: str | bytes) -> Damage:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(data)


def swapped(name: str, old: str, new: str, count: int = 1) -> Damage:
    """Replace a text in a file; the text must be there."""

    def damage(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, count), encoding="utf-8")

    return damage


def rewritten(path: Path, change: Callable[[str], str], encoding: str = "utf-8") -> object:
    return path.write_bytes(change(path.read_text(encoding="utf-8")).encode(encoding))


def cut(name: str, keep: int) -> Damage:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:keep])


def array(name: str, values: np.ndarray, key: str = "arr_0") -> Damage:
    return lambda folder: np.savez(folder / name, **{key: values})


def drawn(name: str, image: Image.Image) -> Damage:
    return lambda folder: image.save(folder / name)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


# a PNG of a few bytes that claims 60,000 x 60,000 pixels, which would fill the memory
HEADER = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
GIGANTIC = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", HEADER) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
ONES = np.ones((3, 128, 4), np.float32)
FILES: list[tuple[str, str, Damage, tuple[str, ...]]] = [
    # task, kind, what is done to the files, what is told
    ("task1", "a missing table", lost("test_tables.csv"), ("has no test_tables.csv; found there: sample_", "Give the")),
    ("task1", "an empty table", holds("train_tables.csv", ""), ("train_tables.csv cannot be read as a CSV", "copy it")),
    ("task1", "a missing column", swapped("train_tables.csv", "feat_4", "x"), ("no column 'feat_4'; found: feat_0", "The columns are")),
    ("task1", "words for numbers", swapped("train_tables.csv", "100", "many"), ("train_tables.csv: column 'feat_", "must hold numbers; data row")),
    ("task1", "hours in another unit", lambda f: pd.read_csv(f / "test_tables.csv").assign(hour=400).to_csv(f / "test_tables.csv"), ("test_tables.csv: most values of the column 'hour' are not from 0 to 23; the first is 400 in data row 1", "Write the hour of a clock")),
    ("task1", "tables of two downloads", swapped("sample_submission.csv", "5,0.0", "9,0.0"), ("sample_submission.csv does not have the ids of test_tables.csv", "one download")),
    ("task2", "a missing network", lost("model.pt"), ("has no model.pt; found there: test_images, train.csv", "Give the")),
    ("task2", "an unknown class", swapped("train.csv", "92", "102"), ("train.csv: class 102", "is not one of 0 to 101")),
    ("task2", "a picture that is not there", lost("train_images/b.png"), ("train.csv names the picture 'b.png', which", "Copy the pictures again")),
    ("task2", "a path out of the folder", swapped("train.csv", "a.png", "../model.pt"), ("names the picture '../model.pt'", "take the row out")),
    ("task2", "a picture twice", swapped("train.csv", "b.png", "a.png"), ("train.csv: the path a.png appears more than once", "Keep one")),
    ("task2", "settings that are no JSON", holds("settings.json", "{"), ("settings.json cannot be read", 'write {"side": 224}')),
    ("task3", "an empty prompt", swapped("test.csv", "What is rust?", '"  "'), ("test.csv: the prompt in data row 1 is empty", "Copy")),
    ("task3", "damaged text", holds("test.csv", b"prompt\n\xc3\xa9t\xc3\xa9 \xff\n"), ("test.csv cannot be read as UTF-8 text: line 2, byte 0xff", "Copy")),
    ("task3", "no rows", holds("test.csv", "prompt\n"), ("test.csv has a header but no rows", "Copy")),
    ("task4", "another shape", array("data_1.npz", ONES[..., :3]), ("data_1.npz must hold one array arr_0 of the shape (n, 128, 4)", "found: arr_0 (3, 128, 3)", "Copy")),
    ("task4", "complex numbers", array("data_2.npz", np.ones((3, 4, 128), complex)), ("data_2.npz must hold numbers (float32), this one holds complex128", "Copy")),
    ("task4", "a gap", array("data_2.npz", np.full((3, 4, 128), np.nan)), ("data_2.npz holds a gap or an infinity, first in picture 0, row 0, column 0", "Copy")),
    ("task4", "unequal counts", array("data_1.npz", ONES[:2]), ("data_1.npz holds 2 pictures but data_2.npz holds 3", "same download")),
    ("task4", "pickled objects", array("data_1.npz", np.array([{}], object)), ("data_1.npz cannot be read as an archive of plain numbers", "Copy")),
    ("task4", "half a download", cut("data_1.npz", 999), ("data_1.npz cannot be read as an archive", "Copy")),
    ("task5", "an unknown label", swapped("val_dataset.csv", "negative", "bad"), ("val_dataset.csv: unknown label 'bad'", "known are neutral, positive, negative")),
    ("task5", "an id that is no number", swapped("test.csv", "5,", "five,"), ("test.csv: column 'id' must hold whole numbers; data row 1 holds 'five'",)),
    ("task5", "a gap in the labels", swapped("val_dataset.csv", "neutral", ""), ("val_dataset.csv: column 'labels' has no value in data row 3", "Fill it in")),
    ("task5", "a folder without a model", lambda f: (f / "model").mkdir(), ("model has no config.json; found there: nothing", "Give the")),
    ("task6", "no JSON", cut("prompts.json", 9), ("prompts.json cannot be read as JSON", "Copy")),
    ("task6", "a list for an object", holds("prompts.json", '["a mare"]'), ("prompts.json must hold an object of prompts", "Copy")),
    ("task6", "a missing number", swapped("prompts.json", '"1"', '"7"'), ('prompts.json holds 3 prompts, but none with the key "1"', "Copy")),
    ("task6", "a prompt that is no text", swapped("prompts.json", '"a sow"', "5"), ('prompts.json: prompt "1" must be a text, not 5', "Copy")),
    ("task6", "a damaged miniature", holds("settings.json", '{"model": 1}'), ("settings.json lacks or has wrong settings", "neoai miniature 6")),
    ("task7", "no mask", lambda f: [p.rename(p.with_stem(p.stem + "_m")) for p in (f / "cuties/val_masks").iterdir()], ("val_masks holds no mask of a picture of val_imgs", "Give both the same names")),
    ("task7", "a mask of another size", drawn("cuties/val_masks/beagle_0.png", Image.new("L", (16, 24))), ("beagle_0.png is 16x24, its picture beagle_0.jpg is 24x16", "Copy")),
    ("task7", "a mask in grey", drawn("cuties/val_masks/beagle_0.png", Image.new("L", (24, 16), 90)), ("beagle_0.png must hold only 0 and 255, but holds 90 (100%)", "Write 255 where the animal is")),
    ("task7", "a name without a number", drawn("cuties/test_imgs/dog.jpg", picture(0)), ("dog.jpg: a test picture's name must be a whole number", "as in 17.jpg")),
    ("task7", "a page for a picture", holds("cuties/test_imgs/1.jpg", "<html>"), ("1.jpg does not decode as a picture: it is a web page", "download")),
    ("task7", "two pictures of one number", drawn("cuties/test_imgs/01.png", picture(0)), ("have the same number 1", "Remove one")),
    ("task7", "half a picture", cut("cuties/test_imgs/1.jpg", 99), ("1.jpg does not decode as a picture", "Copy")),
    ("task7", "a gigantic picture", holds("cuties/test_imgs/1.jpg", GIGANTIC), ("1.jpg does not decode as a picture", "Copy")),
    ("task7", "a gigantic mask", holds("cuties/val_masks/beagle_1.png", GIGANTIC), ("beagle_1.png does not decode as a mask", "Copy")),
    ("task7", "no picture", lambda f: [p.unlink() for p in (f / "cuties/test_imgs").iterdir()], ("test_imgs holds no picture; found: nothing", "Copy the pictures there")),
    ("task5", "a packed table with a second file", holds("test.csv", zipped(a="", b="")), ("test.csv is a ZIP archive that holds a, b", "Unpack it")),
    ("task5", "a workbook", holds("test.csv", zipped(**{"[Content_Types].xml": ""})), ("test.csv is an Excel workbook", "Write the table as CSV")),
    ("task5", "a pointer", holds("test.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n"), ("test.csv is a Git LFS pointer", "git lfs pull")),
    ("task5", "a page for a table", holds("test.csv", "<!DOCTYPE html><html>Sign in</html>"), ("test.csv is a web page", "download the file again")),
    ("task5", "text with commas, not quoted", holds("test.csv", "id,text\n5,well, so\n"), ("test.csv cannot be read as a CSV table: its first row has more fields than its header", "quote text with commas")),
    ("task8", "a test without words", swapped("test.conll", "джаз", ""), ("test.conll, line 2: expected a word number and a word, found the columns ['2']", "Copy")),
    ("task8", "a test whose words cannot be told", holds("test.conll", "s1\tвключи\ns2\tджаз\n"), ("test.conll: expected lines of word number and word", "which of them is the word? Copy")),
    ("task8", "no tags", holds("train.conll", "1\tplay\tplay_music\n"), ("train.conll: expected lines of word number, word, intent and slot tag", "no column of its 3 holds slot tags. Copy")),
    ("task8", "no intents", holds("train.conll", "1\tplay\tO\n2\tjazz\tB-genre\n"), ("train.conll holds no intents", "Its lines should be")),
    ("task8", "damaged text", holds("validation.conll", "1\tвключи\tplay_music\tO\n".encode()[:9]), ("validation.conll cannot be read as UTF-8 text: line 1", "Copy")),
]  # fmt: skip


ODD: list[tuple[str, str, Damage, tuple[str, ...]]] = [
    # task, kind, what is done to the files, what a warning tells: the file, what is unusual, what was assumed
    ("task1", "semicolons", lambda f: rewritten(f / "train_tables.csv", lambda text: text.replace(",", ";").replace(".", ",")), ("train_tables.csv is separated by semicolons", "read so")),
    ("task2", "a picture in no row", drawn("train_images/z.png", picture(0)), ("train_images: z.png in no row of train.csv", "left out")),
    ("task2", "a picture of an unread format", drawn("test_images/z.jp2", picture(0)), ("z.jp2: pictures of this format are left out", "Save them as JPEG or PNG")),
    ("task3", "Windows-1252", holds("test.csv", "prompt\n“été”\n".encode("cp1252")), ("test.csv is no UTF-8 (line 2)", "read as Windows-1252")),
    ("task3", "UTF-16", lambda f: rewritten(f / "test.csv", str, "utf-16"), ("test.csv is in UTF-16", "read so")),
    ("task4", "another key", array("data_1.npz", ONES, "W"), ("data_1.npz has no array arr_0 of factors", "W has their shape and is taken")),
    ("task4", "a transposed file", array("data_1.npz", ONES.transpose(0, 2, 1)), ("data_1.npz has the shape (3, 4, 128)", "read as transposed")),
    ("task4", "whole numbers", array("data_2.npz", np.ones((3, 4, 128), int)), ("data_2.npz holds whole numbers (int64)", "taken as they are")),
    ("task4", "negative numbers", array("data_2.npz", -np.ones((3, 4, 128), np.float32)), ("data_2.npz: 1536 of 1536 numbers are negative", "taken as they are")),
    ("task5", "UTF-16 without a mark", lambda f: rewritten(f / "test.csv", str, "utf-16-le"), ("test.csv is in UTF-16-LE", "read so")),
    ("task5", "a packed table", lambda f: (f / "test.csv").write_bytes(gzip.compress((f / "test.csv").read_bytes())), ("test.csv is packed by gzip", "unpacked")),
    ("task5", "a zipped table", lambda f: (f / "test.csv").write_bytes(zipped(**{"a/test.csv": (f / "test.csv").read_text()})), ("test.csv is a ZIP archive that holds a/test.csv", "unpacked")),
    ("task5", "labels as numbers", holds("val_dataset.csv", "text,labels\na,0\nb,LABEL_2\n"), ("val_dataset.csv: labels are numbers", "0 as neutral, 2 as negative")),
    ("task7", "a missing mask", lost("cuties/val_masks/beagle_1.png"), ("val_imgs: beagle_1.jpg without a mask of the same name", "left out")),
    ("task7", "a missing picture", lost("cuties/val_imgs/beagle_1.jpg"), ("val_masks: beagle_1.png without a picture of the same name", "left out")),
    ("task7", "a mask of 0 and 1", drawn("cuties/val_masks/beagle_0.png", Image.fromarray(np.eye(16, 24, dtype=np.uint8))), ("beagle_0.png: it holds 0 and 1 in place of 0 and 255", "1 is read as the animal")),
    ("task7", "an orientation", lambda f: picture(0).save(f / "cuties/test_imgs/0.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\3\0\0\0\0\0\0\0"), ("0.jpg, with an orientation in the EXIF data", "turned as viewers turn them")),
    ("task8", "a tag glued to O", swapped("train.conll", "1\twake\tset_alarm\tO", "1\twake\tset_alarm\tOgenre"), ("train.conll, line 4: 'Ogenre' is no slot tag", "taken as O")),
    ("task8", "a tag without B- or I-", swapped("validation.conll", "B-genre", "genre"), ("validation.conll, line 2: the tag 'genre' has neither B- nor I-", "read as B-genre")),
    ("task8", "blanks for tabs", swapped("train.conll", "\t", " ", 99), ("train.conll: its lines are read as word number, word, intent, slot tag", "separated by blanks")),
    ("task8", "labels for some words", swapped("test.conll", "1\tвключи", "1\tвключи\ta\tO"), ("test.conll, line 1: 4 columns, not 2", "the word alone is used")),
    ("task8", "an unknown intent", swapped("validation.conll", "set_alarm", "GetWeather"), ("validation.conll: train.conll does not have the intent GetWeather (1 cases)", "answers to these count as wrong")),
    ("task8", "no pairs", lost("ru_en_pairs.jsonl"), ("ru_en_pairs.jsonl does not exist", "going on without sentence pairs")),
    ("task8", "empty pairs", holds("ru_en_pairs.jsonl", "\n"), ("ru_en_pairs.jsonl holds no pair", "going on without sentence pairs")),
    ("task8", "pairs without Russian", holds("ru_en_pairs.jsonl", '{"a": "hello", "b": "world"}\n{"ru": "да", "en": "yes"}'), ("ru_en_pairs.jsonl, line 1: no Russian and English text can be told apart in a, b", "left out (1 of 2)")),
    ("task8", "no texts", lost("unlabeled_texts.txt"), ("unlabeled_texts.txt does not exist", "going on without texts")),
    ("task8", "Windows-1251", holds("unlabeled_texts.txt", "погода завтра".encode("cp1251")), ("unlabeled_texts.txt is no UTF-8 (line 1)", "read as Windows-1251")),
]  # fmt: skip


def put(column: str, value: object, row: int = 0) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: object})
        frame.loc[row, column] = value
        return frame

    return change


Change = Callable[[pd.DataFrame], pd.DataFrame]
SUBMISSIONS: list[tuple[str, str, Change, tuple[str, ...]]] = [
    # task, kind, what is done to a right submission, what is told
    ("task1", "a missing row", lambda f: f.iloc[1:], ("misses id 0 (1 such rows)", "Give each id")),
    ("task1", "an infinite number", lambda f: f.assign(target=np.inf), ("target of id 0 is infinite", "Clip it")),
    ("task2", "a class that is none", put("class", 102), ("c.png: class 102", "is not a whole number from 0 to 101")),
    ("task2", "a gap", put("class", None), ("no class in row 1", "Fill it in")),
    ("task3", "another prompt", put("prompt", "Why?"), ("row 1: the prompt must be that of test.csv", "not 'Why?'")),
    ("task3", "a text without its prompt", put("generation", "Rust is"), ("row 1: the generation must be a text that begins with its prompt",)),
    ("task3", "too few rows", lambda f: f.iloc[:1], ("the submission has 1 rows, test.csv has 2", "Give each prompt one row")),
    ("task4", "a cluster that is none", put("target", 32), ("id 0: the target must be a cluster number, a whole number from 0 to 31, not 32",)),
    ("task4", "a fraction", put("target", 1.5), ("id 0: the target must be a whole number, not 1.5 (of type float)", "Write it as")),
    ("task4", "a name for an id", put("id", "0.png"), ("row 1: the id must be a whole number, not '0.png' (of type str)", "Write it as")),
    ("task5", "an id that has lost digits", put("id", 2.0**53), ("row 1: the id is 9007199254740992.0 (float), too large", "Keep whole numbers as int64")),
    ("task8", "truth for an id", put("id", True), ("row 1: the id must be a whole number, not True (of type bool)", "Write it as")),
    ("task8", "a character that no file keeps", put("intent", "a\0b"), ("the submission's intent in row 1 holds the character '\\x00'", "Take it out")),
    ("task8", "half a character", put("intent", "a\ud800"), ("the submission's intent in row 1 holds the character '\\ud800'", "Take it out")),
    ("task4", "a row twice", lambda f: pd.concat([f, f.iloc[:1]]), ("has the id 0 twice", "Keep one")),
    ("task5", "columns in another order", lambda f: f[["id", "labels"]], ("has the columns labels, id; this one has id, labels", "Name and order them so")),
    ("task5", "a number for a label", put("labels", "LABEL_0"), ("unknown label 'LABEL_0'", "known are neutral, positive, negative")),
    ("task6", "a text that is no picture", put("0", "aGVsbG8="), ("id 0: no PNG in base64", "files.encoded")),
    ("task6", "a gigantic picture", put("0", base64.b64encode(GIGANTIC).decode()), ("id 0: no PNG in base64", "files.encoded")),
    ("task7", "a gigantic mask", put("mask", base64.b64encode(GIGANTIC).decode()), ("img_id 0: a mask does not decode", "files.encode_mask")),
    ("task7", "an unknown picture", put("img_id", 9), ("misses img_id 0", "Give each img_id")),
    ("task7", "a mask of another size", put("mask", files_of("task7").encode_mask(np.ones((8, 8), bool))), ("img_id 0: the mask is 8x8, its picture 24x16", "Scale the mask back")),
    ("task7", "no base64", put("mask", "mask!"), ("img_id 0: a mask does not decode", "files.encode_mask")),
    ("task8", "too few tags", put("slots", "O"), ("id 1: 1 slot tags for 2 words: 'включи джаз'", "Write one tag for each word")),
    ("task8", "no intent", put("intent", " "), ("id 1: the intent must be a word, not ' '",)),
]  # fmt: skip

PARAMETERS: list[tuple[str, str, tuple[str, ...]]] = [
    # kind, the line that papermill injects, what is told
    ("a mistyped name", "sede = 7", ("unknown parameter 'sede'", "did you mean seed?")),
    ("a name like no other", "x = 7", ("unknown parameter 'x'", "known are mode, seed, threshold")),
    ("a word for a number", 'threshold = "high"', ("threshold must be a number (float), got 'high' (str)",)),
    ("a fraction for a whole number", "seed = 0.5", ("seed must be a whole number (int), got 0.5",)),
    ("a number out of range", "threshold = 7", ("threshold must lie between 0 and 1, got 7",)),
    ("no number", 'threshold = float("nan")', ("threshold must lie between 0 and 1, got nan",)),
    ("an unknown word", 'mode = "fats"', ("unknown value for mode: 'fats'", "did you mean fast?")),
]

COMMANDS: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    # kind, words after `neoai`, what is told
    ("an unknown task", ("run", "9"), ("unknown task '9'", "tasks are 1 to 8")),
    ("a mistyped task", ("score", "taks5", "s.csv"), ("unknown task 'taks5'", "did you mean task5?")),
    ("no notebook", ("run", "5"), ("task5.ipynb does not exist; existing notebooks: task7", "Run this in the folder")),
    ("a parameter without value", ("run", "7", "-p", "seed"), ("'seed' is not a parameter", "write -p NAME VALUE")),
    ("an output folder as parameter", ("run", "7", "-p", "out_dir", "x"), ("out_dir", "give --outputs instead")),
    ("outputs below a file", ("run", "7", "-o", "file"), ("cannot create the folder file", "Choose a writable one")),
    ("no submission", ("score", "5", "absent.csv"), ("absent.csv does not exist", "Check the path")),
    ("a submission that is no table", ("score", "5", "file"), ("file cannot be read as a CSV", "Write it as UTF-8")),
    ("a submission of other rows", ("score", "5", "few.csv"), ("few.csv: the submission misses id 1", "Give each id")),
    ("a seed below nought", ("miniature", "5", "new", "--seed", "-1"), ("seed must be 0 or more, got -1",)),
    ("a folder that is full", ("miniature", "5", "full"), ("full is not empty", "choose a new folder")),
    ("nothing to sweep", ("sweep", "7"), ("a sweep needs a parameter and its values", "such as -p seed 1 2 3")),
    ("sweep of a mistyped name", ("sweep", "7", "-p", "sede", "1"), ("unknown parameter 'sede'", "did you mean seed?")),
    ("sweep of another type", ("sweep", "7", "-p", "seed", "a"), ("seed must be a whole number (int), got 'a'",)),
    ("a cluster without address", ("sweep", "7", "--backend", "dask", "-p", "seed", "1"), ("give both or none",)),
    ("a notebook that is none", ("sweep", "8", "-p", "seed", "1"), ("task8.ipynb is no notebook", "Copy it again")),
    ("an unknown command", ("plya", "7"), ("--help", "No such command 'plya'")),
    ("no jobs", ("sweep", "7", "--jobs", "0", "-p", "seed", "1"), ("Invalid value for", "--jobs")),
]


def assert_told(message: str, told: tuple[str, ...]) -> None:
    """Assert that the parts stand in the message in order."""
    assert re.search(".*".join(re.escape(part) for part in told), " ".join(message.split())), message


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("task", "damage", "told"), [pytest.param(t, d, s, id=f"{t}-{k}") for t, k, d, s in FILES])
@pytest.mark.filterwarnings("ignore::neoai_utils.errors.DataWarning")
def test_bad_files(task: str, damage: Damage, told: tuple[str, ...], tmp_path: Path) -> None:
    SMALL[task].write(tmp_path)
    files_of(task).read(tmp_path)
    damage(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(DataError) as caught:
        files_of(task).read(tmp_path)
    assert_told(str(caught.value), told)
    assert str(tmp_path) in str(caught.value), "the message says where"
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("task", "damage", "told"), [pytest.param(t, d, s, id=f"{t}-{k}") for t, k, d, s in ODD])
def test_odd_files(task: str, damage: Damage, told: tuple[str, ...], tmp_path: Path) -> None:
    """What leaves no doubt is read with one warning, and a submission can be made."""
    SMALL[task].write(tmp_path)
    damage(tmp_path)
    with pytest.warns(DataWarning) as warned:
        files_of(task).read(tmp_path)
    (message,) = {str(warning.message) for warning in warned}
    assert_told(message, told)
    assert message.startswith(str(tmp_path)), "the message says where"


@pytest.mark.parametrize("task", TASKS)
def test_no_folder(task: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        workspace.open_workspace(task, tmp_path / "absent", tmp_path / "out")
    assert_told(str(caught.value), ("absent does not exist", "Give the folder that holds the competition's files"))
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("task", "change", "told"), [pytest.param(t, c, s, id=f"{t}-{k}") for t, k, c, s in SUBMISSIONS]
)
def test_bad_submissions(task: str, change: Change, told: tuple[str, ...], tmp_path: Path) -> None:
    """Nothing is written, and what an earlier run has written stays."""
    (tmp_path / "files").mkdir()
    SMALL[task].write(tmp_path / "files")
    opened = workspace.open_workspace(task, tmp_path / "files", tmp_path / "out")
    opened.submit(SMALL[task].right())
    before = contents(tmp_path)
    with pytest.raises(SubmissionError) as caught:
        opened.submit(change(SMALL[task].right()))
    assert_told(str(caught.value), told)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("line", "told"), [pytest.param(line, s, id=k) for k, line, s in PARAMETERS])
def test_bad_parameters(line: str, told: tuple[str, ...]) -> None:
    namespace: dict = {"In": ["", "# Parameters\n" + line]}
    exec('seed: int = 1\nthreshold: float = None\nmode: str = "fast"\n' + line, namespace)
    with pytest.raises(ParameterError) as caught:
        parameters.check(namespace, between={"threshold": (0, 1)}, one_of={"mode": ["fast", "exact"]})
    assert_told(str(caught.value), told)


@pytest.mark.parametrize(("words", "told"), [pytest.param(w, s, id=k) for k, w, s in COMMANDS])
def test_bad_commands(words, told, fake_task, tmp_path: Path, monkeypatch, capsys) -> None:
    """The command says it in a line, without a traceback, and writes nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "execute", lambda *_: pytest.fail("a notebook was run"))
    cell = {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "execution_count": None}
    book = {"cells": [cell | {"outputs": [], "source": "seed: int = 1"}], "metadata": {}, "nbformat": 4}
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/task7.ipynb").write_text(json.dumps(book | {"nbformat_minor": 5}))
    (tmp_path / "notebooks/task8.ipynb").write_text('{"cells": [')
    (tmp_path / "full").mkdir()
    for name, text in (("file", ""), ("full/mine.txt", "x"), ("few.csv", "id,target\n0,0\n")):
        (tmp_path / name).write_text(text)
    miniatures.build_miniature("task5")
    before = contents(tmp_path)
    monkeypatch.setattr(sys, "argv", ["neoai", *words])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    said = capsys.readouterr()
    assert stopped.value.code not in (0, None)
    assert_told(re.sub("[│╭╮╰╯─]", " ", said.err), told)
    assert "Traceback" not in said.err
    assert contents(tmp_path) == before


def test_a_miniature_that_does_not_exist_is_refused_before_it_is_built(fake_task) -> None:
    with pytest.raises(NeoaiError, match="must be 0 or more, got -3"):
        workspace.open_workspace("task5", out_dir="unused", miniature_seed=-3)
    assert fake_task.builds == 0
