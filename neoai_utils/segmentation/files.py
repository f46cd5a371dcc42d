"""The competition's files: pictures, masks, the submission with its base64 PNG masks, the metric.

Layout: `cuties/val_imgs/*.jpg`, `cuties/val_masks/*.png` (0/255, same stem), `cuties/test_imgs/<id>.jpg`; a submission
has the columns `img_id` and `mask`, the mask being the base64 text of an 8-bit one-channel PNG of the picture's size.
Pictures and masks of other formats are read too, see `neoai_utils.pictures` and `masks`.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neoai_utils import pictures
from neoai_utils.errors import DataError, SubmissionError, first_of, warn
from neoai_utils.segmentation import masks
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, require_paths

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
    """Pictures of a folder, decoded when asked for: (height, width, 3) uint8 RGB each.

    Attributes:
        paths: their files.
        as_stored: those that are not turned as their EXIF data say.
    """

    paths: tuple[Path, ...]
    as_stored: frozenset[Path] = frozenset()

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
            return Pictures(self.paths[index], self.as_stored)
        return pictures.read(self.paths[index], turned=self.paths[index] not in self.as_stored)

    def sizes(self) -> list[tuple[int, int]]:
        """Return (height, width) of every picture, from the headers alone."""
        return [pictures.header(path).size(turned=path not in self.as_stored) for path in self.paths]


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

    A labelled picture without mask, or a mask without picture, is left out with a warning. Pictures are turned as
    their EXIF data say, unless the masks show that they were drawn on the stored pixels.

    Raises:
        DataError: a folder is missing (what is there is named), a folder holds no picture, no labelled picture has a
            mask, a picture does not decode, a mask has another size than its picture or values of unknown meaning, or
            a test picture's name is no whole number or that of another one, too.
    """
    home = _home(Path(data_dir))
    pairs = _pairs(home)
    _tell_lonely(home, pairs)
    fits_stored = _fits_stored_pixels(pairs)
    found = [_fitted(picture, mask, fits_stored) for picture, mask in pairs]
    masks.told((mask, one.assumed) for (_, mask), one in zip(pairs, found, strict=True))
    val_paths = tuple(picture for picture, _ in pairs)
    as_stored = (path for path, one in zip(val_paths, found, strict=True) if one.as_stored)
    val_images = Pictures(val_paths, frozenset(as_stored))
    test_headers, test_images = _tests(home)
    for path in (*val_paths, *test_images.paths):
        pictures.read(path)
    _tell_orientation(val_images, test_images)
    return Cuties(
        val_ids=tuple(path.stem for path in val_paths),
        val_images=val_images,
        val_masks=tuple(one.mask for one in found),
        test_ids=tuple(test_headers),
        test_images=test_images,
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
    except pictures.BROKEN as error:
        raise SubmissionError(f"a mask does not decode: {error}. Write masks with files.encode_mask.") from error
    if image.mode != "L":
        raise SubmissionError(f"a mask must be an 8-bit one-channel PNG (mode L), this one has mode {image.mode}.")
    values = np.asarray(image)
    if (other := values[(values != 0) & (values != 255)]).size:
        remedy = "Multiply it by 255." if values.max() == 1 else "Write masks with files.encode_mask."
        raise SubmissionError(f"a mask must hold only 0 and 255, but also holds {other.min()}. {remedy}")
    return np.asarray(values == 255)


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check rows, ids, and that every mask decodes and has its picture's size.

    Returns:
        The submission in the form that is written, as `submissions.check_rows` says.

    Raises:
        SubmissionError: naming the first row at fault.
    """
    headers, images = _tests(_home(Path(data_dir)))
    shown = zip(headers.items(), images.paths, strict=True)
    sizes = {number: header.size(turned=path not in images.as_stored) for (number, header), path in shown}
    frame = check_rows(frame, _SUBMISSION, sizes, id_column="img_id")
    for number, text in zip(frame["img_id"], frame["mask"], strict=True):
        try:
            mask = decode_mask(text)
        except SubmissionError as error:
            raise SubmissionError(f"img_id {number}: {error}") from error
        if mask.shape != (size := sizes[number]):
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


def _home(data_dir: Path) -> Path:
    """Return the folder of the three folders: `cuties`, or `data_dir` itself where they lie in it."""
    inner = [name.split("/")[1] for name in REQUIRED]
    if not (data_dir / "cuties").exists() and all((data_dir / name).is_dir() for name in inner):
        return data_dir
    require_paths(data_dir, REQUIRED)
    return data_dir / "cuties"


def _pairs(home: Path) -> list[tuple[Path, Path]]:
    """Return the labelled pictures that have a mask of the same name, sorted by name, each with its mask."""
    drawn = pictures.by_stem(pictures.listed(home / "val_imgs"))
    masked = pictures.by_stem(pictures.listed(home / "val_masks"))
    pairs = [(path, masked[stem]) for stem, path in drawn.items() if stem in masked]
    if not pairs:
        raise DataError(
            f"{home / 'val_masks'} holds no mask of a picture of val_imgs: the pictures are called "
            f"{', '.join(list(drawn)[:4])} …, the masks {', '.join(list(masked)[:4])} … Give both the same names."
        )
    return pairs


def _tell_lonely(home: Path, pairs: Iterable[tuple[Path, Path]]) -> None:
    """Warn of pictures without mask and of masks without picture."""
    partners = {path for pair in pairs for path in pair}
    for folder, partner in (("val_imgs", "mask"), ("val_masks", "picture")):
        if lonely := [path.name for path in pictures.listed(home / folder) if path not in partners]:
            warn(f"{home / folder}: {first_of(lonely)} without a {partner} of the same name; left out.")


def _fits_stored_pixels(pairs: Iterable[tuple[Path, Path]]) -> bool:
    """Return whether masks were drawn on the stored pixels of pictures that their EXIF data lay on the side.

    True if one mask's size shows it and none shows the contrary.
    """
    shown = set()
    for picture, mask in pairs:
        its = pictures.header(picture)
        if its.stored != its.size() and (size := pictures.header(mask).size()) in (its.stored, its.size()):
            shown.add(size == its.stored)
    return shown == {True}


@dataclass(frozen=True)
class _Fitted:
    """A mask that has its picture's size; whether the picture is left as stored, and what was assumed of the mask."""

    mask: Mask
    as_stored: bool
    assumed: str


def _fitted(picture: Path, mask: Path, fits_stored: bool) -> _Fitted:
    """Read a mask and say how its picture is to be turned.

    Raises:
        DataError: the mask has another size than its picture.
    """
    header = pictures.header(picture)
    values, assumed = masks.read(mask, turned=not fits_stored)
    shown = header.size()
    if values.shape == header.stored != shown:
        return _Fitted(values, True, assumed)
    if values.shape == shown:
        return _Fitted(values, fits_stored and header.orientation != 1, assumed)
    noted = f" after turning by its EXIF orientation {header.orientation}" if header.orientation != 1 else ""
    on_its_side = values.shape == shown[::-1]
    remedy = "turn the mask by 90 degrees" if on_its_side else "scale the mask to the picture's size without smoothing"
    raise DataError(
        f"{mask} is {values.shape[1]}x{values.shape[0]}, its picture {picture.name} is "
        f"{shown[1]}x{shown[0]} (width x height){noted}. Copy both again, or {remedy}."
    )


def _tests(home: Path) -> tuple[dict[int, pictures.Header], Pictures]:
    """Return the numbers and headers of the test pictures, and in the same order the pictures."""
    by_id = pictures.by_number(pictures.listed(home / "test_imgs"))
    headers = {number: pictures.header(path) for number, path in by_id.items()}
    noted = frozenset(path for number, path in by_id.items() if headers[number].orientation != 1)
    as_stored = noted if noted and _fits_stored_pixels(_pairs(home)) else frozenset()
    return headers, Pictures(tuple(by_id.values()), as_stored)


def _tell_orientation(*parts: Pictures) -> None:
    """Warn of pictures whose EXIF data turn them, and say what was done."""
    noted: dict[bool, list[Path]] = {False: [], True: []}
    for part in parts:
        for path in part.paths:
            if pictures.header(path).orientation != 1:
                noted[path in part.as_stored].append(path)
    told = "with an orientation in the EXIF data"
    if noted[False]:
        warn(f"{first_of(noted[False])}, {told}: turned as viewers turn them; masks are those of the turned pictures.")
    if noted[True]:
        warn(f"{first_of(noted[True])}, {told}: left as stored, because masks of val_masks fit the stored pixels.")


def _read_mask(path: Path) -> Mask:
    mask, assumed = masks.read(path)
    masks.told([(path, assumed)])
    return mask
