"""The competition's files: pictures, masks, and the submission with its base64 PNG masks.

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
from PIL import Image

from neoai_utils import pictures
from neoai_utils.arrays import Mask, Picture
from neoai_utils.errors import DataError, SubmissionError, first_of, warn
from neoai_utils.scores import Grades
from neoai_utils.segmentation import masks, metric
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLASS_NAMES", "REQUIRED", "Cuties", "Pictures", "check_submission", "class_names", "decode_mask", "encode_mask",
    "grade", "parse_submission", "read", "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("cuties/val_imgs", "cuties/val_masks", "cuties/test_imgs")
_SUBMISSION: dict[str, Kind] = {"img_id": "integer", "mask": "text"}

CLASS_NAMES: tuple[str, ...] = (
    "american bulldog", "basset hound", "keeshond", "british shorthair", "sphynx", "pomeranian", "egyptian mau",
    "birman", "american pit bull terrier", "japanese chin", "maine coon", "beagle", "bombay", "wheaten terrier",
    "shiba inu", "havanese", "miniature pinscher", "yorkshire terrier", "boxer", "scottish terrier",
    "newfoundland", "chihuahua", "saint bernard", "persian", "bengal", "german shorthaired",
    "english cocker spaniel", "leonberger", "siamese", "abyssinian", "staffordshire bull terrier", "ragdoll",
    "pug", "russian blue", "samoyed", "english setter", "great pyrenees",
)  # fmt: skip
"""The class names that the competition's notebook gives, underscores as spaces."""


@dataclass(frozen=True)
class Pictures(Sequence[Picture]):
    """Pictures of a folder, decoded on access: (height, width, 3) uint8 RGB each.

    Attributes:
        paths: their files.
        as_stored: the files that are not rotated as their EXIF data say.
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
    """The competition's data.

    Attributes:
        val_ids: file names of the labelled pictures without suffix, sorted.
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
    """Read and check the competition's data; every picture is decoded once as a check.

    A labelled picture without mask, or a mask without picture, is left out with a warning. Pictures are rotated as
    their EXIF data say, unless the masks show that they were drawn on the stored pixels.

    Raises:
        DataError: a folder is missing (what is there is named), a folder holds no picture, no labelled picture has a
            mask, a picture does not decode, a mask has another size than its picture or values of unknown meaning, or
            a test picture's name is no whole number or the number of two pictures.
    """
    home = _home(data_dir)
    pairs = _pairs(home)
    _warn_of_unpaired(home, pairs)
    fits_stored = _fits_stored_pixels(pairs)
    fitted = [_fitted(picture, mask, fits_stored) for picture, mask in pairs]
    masks.warn_of_assumptions((mask, one.assumption) for (_, mask), one in zip(pairs, fitted, strict=True))
    val_paths = tuple(picture for picture, _ in pairs)
    as_stored = (path for path, one in zip(val_paths, fitted, strict=True) if one.as_stored)
    val_images = Pictures(val_paths, frozenset(as_stored))
    test_ids, test_images = _tests(home)
    for path in (*val_paths, *test_images.paths):
        pictures.read(path)
    _warn_of_orientation(val_images, test_images)
    return Cuties(
        val_ids=tuple(path.stem for path in val_paths),
        val_images=val_images,
        val_masks=tuple(one.mask for one in fitted),
        test_ids=test_ids,
        test_images=test_images,
    )


def submission(test_ids: Iterable[int], masks: Iterable[Mask]) -> pd.DataFrame:
    """Return the submission of masks (each (height, width) bool) in the order of `test_ids`."""
    import pandas as pd

    rows = [(int(i), encode_mask(mask)) for i, mask in zip(test_ids, masks, strict=True)]
    return pd.DataFrame(rows, columns=["img_id", "mask"])


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check rows, ids, and that every mask decodes and has its picture's size.

    Returns:
        The submission in the form that is written, as `submissions.check_rows` says.

    Raises:
        SubmissionError: naming the first row at fault.
    """
    ids, images = _tests(_home(data_dir))
    sizes = dict(zip(ids, images.sizes(), strict=True))
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


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, or lacks a column.
    """
    return read_submission(path, _SUBMISSION, id_column="img_id")


def grade(frame: pd.DataFrame, answers_dir: Path) -> Grades:
    """Return the mean IoU of a checked submission over the pictures of `answers_dir/test_masks/<id>.png`."""
    truths = {int(path.stem): path for path in sorted((answers_dir / "test_masks").glob("*.png"))}
    check_rows(frame, _SUBMISSION, truths, id_column="img_id")
    return metric.grade(map(decode_mask, frame["mask"]), (_read_mask(truths[number]) for number in frame["img_id"]))


def class_names(data_dir: Path) -> tuple[str, ...]:
    """Return the class names: those in `clip/classes.json`, which the miniature has, else `CLASS_NAMES`.

    Raises:
        DataError: the file is no list of names.
    """
    path = data_dir / "clip" / "classes.json"
    if not path.exists():
        return CLASS_NAMES
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}. Copy the file again.") from error
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise DataError(f"{path} must hold a list of class names. Copy the file again.")
    return tuple(names)


def encode_mask(mask: Mask) -> str:
    """Return a (height, width) bool mask as base64 text of an 8-bit one-channel PNG with values 0 and 255."""
    buffer = io.BytesIO()
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8), mode="L").save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def decode_mask(text: str) -> Mask:
    """Return the (height, width) bool mask of a text that `encode_mask` made.

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


def _home(data_dir: Path) -> Path:
    """Return the folder that holds the three folders: `cuties`, or `data_dir` itself."""
    inner = [name.split("/")[1] for name in REQUIRED]
    if not (data_dir / "cuties").exists() and all((data_dir / name).is_dir() for name in inner):
        return data_dir
    require_paths(data_dir, REQUIRED)
    return data_dir / "cuties"


def _pairs(home: Path) -> list[tuple[Path, Path]]:
    """Return the labelled pictures that have a mask of the same name, sorted by name, each with its mask."""
    images = pictures.by_stem(pictures.listed(home / "val_imgs"))
    masked = pictures.by_stem(pictures.listed(home / "val_masks"))
    pairs = [(path, masked[stem]) for stem, path in images.items() if stem in masked]
    if not pairs:
        raise DataError(
            f"{home / 'val_masks'} holds no mask of a picture of val_imgs: the pictures are called "
            f"{', '.join(list(images)[:4])} …, the masks {', '.join(list(masked)[:4])} … Give both the same names."
        )
    return pairs


def _warn_of_unpaired(home: Path, pairs: Iterable[tuple[Path, Path]]) -> None:
    """Warn of pictures without mask and of masks without picture."""
    partners = {path for pair in pairs for path in pair}
    for folder, partner in (("val_imgs", "mask"), ("val_masks", "picture")):
        if unpaired := [path.name for path in pictures.listed(home / folder) if path not in partners]:
            warn(f"{home / folder}: {first_of(unpaired)} without a {partner} of the same name; left out.")


def _fits_stored_pixels(pairs: Iterable[tuple[Path, Path]]) -> bool:
    """Return whether masks were drawn on the stored pixels of pictures that their EXIF data rotate by 90 degrees.

    True if one mask's size shows it and none shows the contrary.
    """
    evidence = set()
    for picture, mask in pairs:
        header = pictures.header(picture)
        if header.stored != header.size() and (size := pictures.header(mask).size()) in (header.stored, header.size()):
            evidence.add(size == header.stored)
    return evidence == {True}


@dataclass(frozen=True)
class _Fitted:
    """A mask that has its picture's size.

    Attributes:
        mask: (height, width) bool.
        as_stored: whether the picture is not rotated as its EXIF data say.
        assumption: how the mask's values were read, "" for the usual way.
    """

    mask: Mask
    as_stored: bool
    assumption: str


def _fitted(picture: Path, mask: Path, fits_stored: bool) -> _Fitted:
    """Read a mask and decide whether its picture is rotated.

    Raises:
        DataError: the mask has another size than its picture.
    """
    header = pictures.header(picture)
    values, assumption = masks.read(mask, turned=not fits_stored)
    size = header.size()
    if values.shape == header.stored != size:
        return _Fitted(values, True, assumption)
    if values.shape == size:
        return _Fitted(values, fits_stored and header.orientation != 1, assumption)
    rotation = f" after turning by its EXIF orientation {header.orientation}" if header.orientation != 1 else ""
    on_its_side = values.shape == size[::-1]
    remedy = "turn the mask by 90 degrees" if on_its_side else "scale the mask to the picture's size without smoothing"
    raise DataError(
        f"{mask} is {values.shape[1]}x{values.shape[0]}, its picture {picture.name} is "
        f"{size[1]}x{size[0]} (width x height){rotation}. Copy both again, or {remedy}."
    )


def _tests(home: Path) -> tuple[tuple[int, ...], Pictures]:
    """Return the numbers of the test pictures, ascending, and the pictures in the same order."""
    by_id = pictures.by_number(pictures.listed(home / "test_imgs"))
    rotated = frozenset(path for path in by_id.values() if pictures.header(path).orientation != 1)
    as_stored = rotated if rotated and _fits_stored_pixels(_pairs(home)) else frozenset()
    return tuple(by_id), Pictures(tuple(by_id.values()), as_stored)


def _warn_of_orientation(*parts: Pictures) -> None:
    """Warn of pictures with an EXIF orientation, and say whether they were rotated."""
    rotated: dict[bool, list[Path]] = {False: [], True: []}
    for part in parts:
        for path in part.paths:
            if pictures.header(path).orientation != 1:
                rotated[path not in part.as_stored].append(path)
    reason = "with an orientation in the EXIF data"
    if rotated[True]:
        warn(
            f"{first_of(rotated[True])}, {reason}: turned as viewers turn them; masks are those of the turned pictures."
        )
    if rotated[False]:
        warn(f"{first_of(rotated[False])}, {reason}: left as stored, because masks of val_masks fit the stored pixels.")


def _read_mask(path: Path) -> Mask:
    mask, assumption = masks.read(path)
    masks.warn_of_assumptions([(path, assumption)])
    return mask
