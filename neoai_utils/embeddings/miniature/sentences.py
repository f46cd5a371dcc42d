"""Short sentences with a human sentiment rating, from the data set that came with VADER.

Hutto & Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text", ICWSM 2014:
tweets, product reviews, film reviews and newspaper editorials, each rated from -4 to +4 by 20 people. The source
archive of vaderSentiment 0.5 (MIT) carries the set; `python -m neoai_utils.embeddings.miniature.sentences ARCHIVE`
makes the small file committed in `data/` from it.
"""

from __future__ import annotations

import gzip
import html
import io
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neoai_utils.arrays import Float64, Integers
from neoai_utils.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FILE", "GENRES", "MAX_CHARACTERS", "classes", "derive", "extract", "load", "split"]

FILE = Path(__file__).parent / "data" / "sentences.tsv.gz"
GENRES = {
    "tweet": "tweets",
    "product": "amazonReviewSnippets",
    "film": "movieReviewSnippets",
    "editorial": "nytEditorialSnippets",
}
MAX_CHARACTERS = 140  # of a tweet at that time
_INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"


def load() -> pd.DataFrame:
    """Return the sentences: columns genre (text), rating (float64, -4 … 4), text; no text appears twice."""
    import pandas as pd

    return pd.read_csv(FILE, sep="\t", quoting=3, dtype={"genre": str, "text": str}, keep_default_na=False)


def classes(rating: Float64, negative_below: float, positive_above: float) -> Integers:
    """Return the competition's classes of ratings, (texts,) int64: 0 neutral, 1 positive, 2 negative."""
    return np.where(rating > positive_above, 1, np.where(rating < negative_below, 2, 0)).astype(np.int64)


def split(
    frame: pd.DataFrame, counts: tuple[tuple[str, int], ...], max_characters: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw the texts that a miniature shows; the rest may train its classifier.

    Args:
        frame: what `load` returned.
        counts: how many texts of each genre to draw.
        max_characters: of a drawn text (short texts keep the notebook quick).
        seed: of the draw.

    Returns:
        (shown, rest), both in the order of `frame`.
    """
    rng = np.random.default_rng(seed)
    short = frame["text"].str.len().to_numpy() <= max_characters
    drawn = [
        rng.permutation(np.flatnonzero(short & (frame["genre"] == genre).to_numpy()))[:count] for genre, count in counts
    ]
    shown = np.zeros(len(frame), bool)
    shown[np.concatenate(drawn)] = True
    return frame[shown].reset_index(drop=True), frame[~shown].reset_index(drop=True)


def extract(archive: Path) -> pd.DataFrame:
    """Read the rated sentences out of the source archive of vaderSentiment 0.5 (a zip holding a tar).

    HTML entities are resolved; texts over `MAX_CHARACTERS` characters and repeated texts are left out.

    Raises:
        DataError: the file is missing or is not that archive.
    """
    import pandas as pd

    try:
        with zipfile.ZipFile(archive) as outer:
            inner = next(name for name in sorted(outer.namelist()) if name.endswith(_INNER))
            with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as tar:
                rows = [row for genre, stem in GENRES.items() for row in _rows(tar, genre, stem)]
    except (OSError, zipfile.BadZipFile, tarfile.TarError, StopIteration, KeyError) as error:
        raise DataError(f"{archive} is not the source archive of vaderSentiment 0.5: {error!r}.") from error
    frame = pd.DataFrame(rows, columns=["genre", "rating", "text"])
    frame = frame[(frame["text"] != "") & (frame["text"].str.len() <= MAX_CHARACTERS)]
    return frame.drop_duplicates("text").reset_index(drop=True)


def _rows(tar: tarfile.TarFile, genre: str, stem: str) -> list[tuple[str, float, str]]:
    member = tar.extractfile(f"hutto_ICWSM_2014/{stem}_GroundTruth.txt")
    if member is None:
        raise KeyError(stem)
    lines = member.read().decode("utf-8").replace("\r", "").split("\n")
    fields = [line.split("\t") for line in lines if line.strip()]
    return [(genre, round(float(rating), 3), " ".join(html.unescape(text).split())) for _, rating, text in fields]


def derive(archive: Path, target: Path = FILE) -> None:
    """Write the small file: gzipped tab-separated text whose bytes depend on nothing but the archive."""
    content = extract(archive).to_csv(sep="\t", index=False, quoting=3, lineterminator="\n")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(content.encode("utf-8"), compresslevel=9, mtime=0))


if __name__ == "__main__":
    derive(Path(sys.argv[1]))
