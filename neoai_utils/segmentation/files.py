"""The competition's files: pictures, masks, the submission with its base64 PNG masks, the metric.

Layout: `cuties/val_imgs/*.jpg`, `cuties/val_masks/*.png` (0/255, same stem), `cuties/test_imgs/<id>.jpg`; a submission
has the columns `img_id` and `mask`, the mask being the base64 text of an 8-bit one-channel PNG of the picture's size.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.tables import Kind, check_rows, read_submission, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BREEDS", "REQUIRED", "Cuties", "Pictures", "check_submission", "class_names", "decode_mask", "encode_mask",
    "grade", "iou", "mean_iou", "parse_submission", "read", "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("cuties/val_imgs", "cuties/val_masks", "cuties/test_imgs")
_SUBMISSION: dict[str, Kind] = {"img_id": "integer", "mask": "text"}

BREEDS: tuple[str, ...] = (
    "american bulldog", "basset hound", "keeshond", "british shorthair", "sphynx", "pomeranian", "egyptian mau",
    "birman", "american pit bull terrier", "japanese chin", "maine coon", "beagle", "bombay", "wheaten terrier",
    "shiba inu", "havanese", "miniature pinscher", "yorkshire terrier", "boxer", "scottish terrier",
    "newfoundland", "chihuahua", "saint bernard", "persian", "bengal", "german shorthaired",
    "english cocker spaniel", "leonberger", "siamese", "abyssinian", "staffordshire bull terrier", "ragdoll",
    "pug", "russian blue", "samoyed", "english setter", "great pyrenees",
)  # fmt: skip
"""The class names that the competition's notebook gives, underscores as spaces."""

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Pictures(Sequence[Picture]):
    """Pictures of a folder, decoded when asked for: (height, width, 3) uint8 RGB each."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice) -> Pictures: ...

    def __getitem__(self, index: int | slice) -> Picture | Pictures:
        """Return one decoded picture, or a part of the sequence."""
        if isinstance(index, slice):
            return Pictures(self.paths[index])
        return _decode(self.paths[index])

    def sizes(self) -> list[tuple[int, int]]:
        """Return (height, width) of every picture, from the headers alone."""
        return [_size(path) for path in self.paths]


@dataclass(frozen=True)
class Cuties:
    """What the competition gives.

    Attributes:
        val_ids: stems of the labelled pictures, sorted.
        val_images: the labelled pictures.
        val_masks: their masks, (height, width) bool, True where the animal is.
        test_ids: ids of the pictures to segment, ascending.
        test_images: the pictures to segment.
    """

    val_ids: tuple[str, ...]
    val_images: Pictures
    val_masks: tuple[Mask, ...]
    test_ids: tuple[int, ...]
    test_images: Pictures


def read(data_dir: Path) -> Cuties:
    """Read and check everything the competition gives; every picture is decoded once to be sure of it.

    Raises:
        DataError: a folder or mask is missing (what is there is named), a folder holds no picture, a picture does
            not decode, a mask has another size than its picture or values other than 0 and 255, or a test picture's
            name is not a whole number.
    """
    data_dir = Path(data_dir)
    require_paths(data_dir, REQUIRED)
    val_paths = _pictures_in(data_dir / REQUIRED[0])
    masks = tuple(_mask_of(path, data_dir / REQUIRED[1]) for path in val_paths)
    by_id = _by_id(_pictures_in(data_dir / REQUIRED[2]))
    for path in by_id.values():
        _decode(path)
    return Cuties(
        val_ids=tuple(path.stem for path in val_paths),
        val_images=Pictures(tuple(val_paths)),
        val_masks=masks,
        test_ids=tuple(by_id),
        test_images=Pictures(tuple(by_id.values())),
    )


def class_names(data_dir: Path) -> tuple[str, ...]:
    """Return the names of the classes: those in `clip/classes.json` (the miniature has its own), else `BREEDS`.

    Raises:
        DataError: the file is no list of names.
    """
    path = Path(data_dir) / "clip" / "classes.json"
    if not path.exists():
        return BREEDS
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}. Copy the file again.") from error
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise DataError(f"{path} must hold a list of class names. Copy the file again.")
    return tuple(names)


def submission(test_ids: Iterable[int], masks: Iterable[Mask]) -> pd.DataFrame:
    """Return the submission of masks (each (height, width) bool) in the order of `test_ids`."""
    import pandas as pd

    rows = [(int(i), encode_mask(mask)) for i, mask in zip(test_ids, masks, strict=True)]
    return pd.DataFrame(rows, columns=["img_id", "mask"])


def encode_mask(mask: Mask) -> str:
    """Return a (height, width) bool mask as base64 text of an 8-bit one-channel PNG with values 0 and 255."""
    buffer = io.BytesIO()
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8), mode="L").save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def decode_mask(text: str) -> Mask:
    """Return the mask behind `encode_mask`'s text.

    Raises:
        SubmissionError: the text is no base64, no PNG, not 8-bit one-channel, or has values other than 0 and 255.
    """
    try:
        image = Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",))
        image.load()
    except (binascii.Error, OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError) as error:
        raise SubmissionError(f"a mask does not decode: {error}. Write masks with files.encode_mask.") from error
    if image.mode != "L":
        raise SubmissionError(f"a mask must be an 8-bit one-channel PNG (mode L), this one has mode {image.mode}.")
    return _binary(np.asarray(image), "a mask", SubmissionError)


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check rows, ids, and that every mask decodes and has its picture's size.

    Returns:
        The submission in the form that is written, as `tables.check_rows` says.

    Raises:
        SubmissionError: naming the first row at fault.
    """
    paths = _by_id(_pictures_in(Path(data_dir) / REQUIRED[2]))
    frame = check_rows(frame, _SUBMISSION, paths, id_column="img_id")
    for number, text in zip(frame["img_id"], frame["mask"], strict=True):
        try:
            mask = decode_mask(text)
        except SubmissionError as error:
            raise SubmissionError(f"img_id {number}: {error}") from error
        if mask.shape != (size := _size(paths[number])):
            raise SubmissionError(
                f"img_id {number}: the mask is {mask.shape[1]}x{mask.shape[0]}, its picture {size[1]}x{size[0]} "
                "(width x height). Scale the mask back to the picture's own size."
            )
    return frame


def grade(frame: pd.DataFrame, answers_dir: Path) -> dict[str, float]:
    """Return the mean IoU of a checked submission over the pictures of `answers_dir/test_masks/<id>.png`."""
    truths = {int(path.stem): path for path in sorted((Path(answers_dir) / "test_masks").glob("*.png"))}
    check_rows(frame, _SUBMISSION, truths, id_column="img_id")
    pairs = zip(frame["img_id"], frame["mask"], strict=True)
    return {"mean_iou": mean_iou((decode_mask(text), _read_mask(truths[number])) for number, text in pairs)}


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, or lacks a column.
    """
    return read_submission(Path(path), _SUBMISSION, id_column="img_id")


def iou(prediction: Mask, truth: Mask) -> float:
    """Return intersection over union of two (height, width) bool masks; 1 if both are empty.

    (The official one divides by zero on two empty masks.)
    """
    union = np.count_nonzero(prediction | truth)
    return np.count_nonzero(prediction & truth) / union if union else 1.0


def mean_iou(pairs: Iterable[tuple[Mask, Mask]]) -> float:
    """Return the mean of the pictures' own IoUs: the competition's metric (not the IoU of all pixels together)."""
    return float(np.mean([iou(prediction, truth) for prediction, truth in pairs]))


def _pictures_in(folder: Path) -> list[Path]:
    """Return the folder's .jpg files, sorted; other files are ignored (the original's folder has one)."""
    if not folder.is_dir():
        raise DataError(f"the folder {folder} does not exist. Copy the competition's files again.")
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".jpg" and not path.name.startswith("."))
    if not paths:
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise DataError(f"{folder} holds no .jpg picture; found: {found}. Copy the pictures there.")
    return paths


def _by_id(paths: Iterable[Path]) -> dict[int, Path]:
    def pairs() -> Iterator[tuple[int, Path]]:
        for path in paths:
            if not path.stem.isdecimal():
                raise DataError(f"{path}: a test picture's name must be a whole number, as in 17.jpg.")
            yield int(path.stem), path

    return dict(sorted(pairs()))


def _decode(path: Path) -> Picture:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} does not decode as a picture: {error}. Copy the file again.") from error


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} does not decode as a picture: {error}. Copy the file again.") from error


def _mask_of(picture: Path, folder: Path) -> Mask:
    require_paths(folder, [f"{picture.stem}.png"])
    mask = _read_mask(folder / f"{picture.stem}.png")
    size = _decode(picture).shape[:2]
    if mask.shape != size:
        raise DataError(
            f"{folder / (picture.stem + '.png')} is {mask.shape[1]}x{mask.shape[0]}, "
            f"its picture {picture.name} is {size[1]}x{size[0]} (width x height). Copy both again."
        )
    return mask


def _read_mask(path: Path) -> Mask:
    try:
        with Image.open(path) as image:
            values = np.asarray(image if image.mode == "L" else image.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} does not decode as a mask: {error}. Copy the file again.") from error
    return _binary(values, str(path), DataError)


def _binary(values: NDArray[np.uint8], where: str, error: type[DataError]) -> Mask:
    other = values[(values != 0) & (values != 255)]
    if other.size:
        raise error(f"{where} must hold only 0 and 255, but also holds {other.min()}. Cut it at 128.")
    return np.asarray(values == 255)
