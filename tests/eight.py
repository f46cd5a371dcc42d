"""The eight competitions at their smallest: files in the real format, a right submission, and answers to it."""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from PIL import Image

from neoai_utils.competitions import COMPETITIONS

SENSORS = [*(f"feat_{i}" for i in range(9)), "day", "hour", "minute"]
ENGLISH = "1\tplay\tplay_music\tO\n2\tjazz\tplay_music\tB-genre\n\n1\twake\tset_alarm\tO\n"
RUSSIAN = "1\tвключи\tplay_music\tO\n2\tджаз\tplay_music\tB-genre\n\n1\tразбуди\tset_alarm\tO\n"
HIDDEN = "1\tвключи\n2\tджаз\n\n1\tразбуди\n"
PROMPTS = ["What is rust?", 'He said "no", then left']


@dataclass(frozen=True)
class Small:
    """One competition.

    Attributes:
        write: writes the competition's files into a folder.
        right: returns a right submission for them.
        answers: writes what `grade` reads into a folder; None where grading needs a trained model.
    """

    write: Callable[[Path], None]
    right: Callable[[], pd.DataFrame]
    answers: Callable[[Path], None] | None


def files_of(task: str) -> ModuleType:
    """Return a task's module `files`."""
    return importlib.import_module(f"neoai_utils.{COMPETITIONS[task].technique}.files")


def picture(seed: int, size: tuple[int, int] = (24, 16)) -> Image.Image:
    """Return noise of a width and height."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


def mask(side: int) -> np.ndarray:
    """Return a mask, 16 x 24, whose left `side` columns are True."""
    return np.broadcast_to(np.arange(24) < side, (16, 24)).copy()


def zipped(**members: str) -> bytes:
    """Return a zip archive of texts by their names."""
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, text in members.items():
                archive.writestr(zipfile.ZipInfo(name), text)  # without the time, so that all workers get the same
        return buffer.getvalue()


def _tabular(folder: Path) -> None:
    rng = np.random.default_rng(0)
    clock = np.column_stack([np.ones(6), rng.integers(0, 24, 6), rng.integers(0, 60, 6)])
    table = pd.DataFrame(np.column_stack([rng.normal(100, 9, (6, 9)), clock]), columns=SENSORS)
    table.iloc[0, 2] = np.nan
    table.assign(target=range(6)).to_csv(folder / "train_tables.csv", index=False)
    table.assign(id=range(6)).to_csv(folder / "test_tables.csv", index=False)
    pd.DataFrame({"id": range(6), "target": 0.0}).to_csv(folder / "sample_submission.csv", index=False)


def _continual(folder: Path) -> None:
    for part, names in (("train", ("a.png", "b.png")), ("test", ("c.png", "d.png", "e.png"))):
        (folder / f"{part}_images").mkdir()
        for seed, name in enumerate(names):
            picture(seed).save(folder / f"{part}_images" / name)
    (folder / "train.csv").write_text("path,class\na.png,4\nb.png,92\n", encoding="utf-8")
    (folder / "model.pt").write_bytes(b"checkpoint.load reads it, files.read does not")


def _steering(folder: Path) -> None:
    pd.DataFrame({"prompt": PROMPTS}).to_csv(folder / "test.csv", index=False)


def _clustering(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(folder / "data_1.npz", rng.random((3, 128, 4), dtype=np.float32))
    np.savez(folder / "data_2.npz", rng.random((3, 4, 128), dtype=np.float32))


def _embeddings(folder: Path) -> None:
    rows = "text,labels\ngood,positive\nbad,negative\nso,neutral\n"
    (folder / "val_dataset.csv").write_text(rows, encoding="utf-8")
    (folder / "test.csv").write_text("id,text\n5,fine\n6,awful\n7,\n", encoding="utf-8")


def _diffusion(folder: Path) -> None:
    (folder / "prompts.json").write_text(json.dumps({"0": "a mare", "1": "a sow", "2": "a cow"}), encoding="utf-8")


def _segmentation(folder: Path) -> None:
    for name in ("val_imgs", "val_masks", "test_imgs"):
        (folder / "cuties" / name).mkdir(parents=True)
    for number in (0, 1):
        picture(number).save(folder / f"cuties/val_imgs/beagle_{number}.jpg")
        Image.fromarray(mask(8).astype(np.uint8) * 255).save(folder / f"cuties/val_masks/beagle_{number}.png")
        picture(number + 2).save(folder / f"cuties/test_imgs/{number}.jpg")


def _crosslingual(folder: Path) -> None:
    for name, text in (
        ("train.conll", ENGLISH), ("validation.conll", RUSSIAN), ("test.conll", HIDDEN),
        ("ru_en_pairs.jsonl", '{"ru": "привет", "en": "hello"}\n'), ("unlabeled_texts.txt", "погода завтра\n"),
    ):  # fmt: skip
        (folder / name).write_text(text, encoding="utf-8")


def _masks(folder: Path) -> None:
    (folder / "test_masks").mkdir()
    for number in (0, 1):
        Image.fromarray(mask(8).astype(np.uint8) * 255).save(folder / f"test_masks/{number}.png")


def _text(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return write


SMALL: dict[str, Small] = {
    "task1": Small(
        _tabular,
        lambda: files_of("task1").submission(np.arange(6), np.arange(6) + 0.5),
        _text("test_targets.csv", "id,target\n" + "".join(f"{i},{i}\n" for i in range(6))),
    ),
    "task2": Small(
        _continual,
        lambda: files_of("task2").submission(["c.png", "d.png", "e.png"], np.array([4, 92, 0])),
        _text("answers.csv", "id,class,weak\nc.png,4,1\nd.png,0,0\ne.png,0,0\n"),
    ),
    "task3": Small(
        _steering, lambda: files_of("task3").submission(PROMPTS, [prompt + " And so on." for prompt in PROMPTS]), None
    ),
    "task4": Small(
        _clustering,
        lambda: files_of("task4").submission(np.array([0, 31, 0])),
        _text("answers.csv", "id,source\n0,1\n1,2\n2,1\n"),
    ),
    "task5": Small(
        _embeddings,
        lambda: files_of("task5").submission([5, 6, 7], [0, 1, 2]),
        _text("answers.csv", "id,labels\n5,neutral\n6,negative\n7,negative\n"),
    ),
    "task6": Small(
        _diffusion, lambda: files_of("task6").submission([picture(number, (8, 8)) for number in range(3)]), None
    ),
    "task7": Small(_segmentation, lambda: files_of("task7").submission([0, 1], [mask(8), mask(4)]), _masks),
    "task8": Small(
        _crosslingual,
        lambda: files_of("task8").submission(["play_music", "play_music"], [["O", "B-genre"], ["O"]]),
        _text("test.conll", RUSSIAN),
    ),
}  # fmt: skip
TASKS = tuple(SMALL)
