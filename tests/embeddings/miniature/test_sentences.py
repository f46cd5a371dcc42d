"""The rated sentences, and how they are derived from their source."""

from __future__ import annotations

import tarfile
import zipfile
from io import BytesIO

import pytest

from neoai_utils.embeddings.miniature import sentences
from neoai_utils.errors import DataError


def archive_of(lines, path):
    inner = BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        for genre, stem in sentences.GENRES.items():
            content = lines.get(genre, "").encode()
            info = tarfile.TarInfo(f"hutto_ICWSM_2014/{stem}_GroundTruth.txt")
            info.size = len(content)
            tar.addfile(info, BytesIO(content))
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr("vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz", inner.getvalue())
    return path


def test_sentences_are_well_formed():
    frame = sentences.load()
    assert set(frame["genre"]) == set(sentences.GENRES)
    assert frame["rating"].between(-4, 4).all()
    assert frame["text"].is_unique
    assert frame["text"].str.len().between(1, sentences.MAX_CHARACTERS).all()


def test_sentences_are_derived_from_the_archive(tmp_path):
    lines = {
        "tweet": "1\t2.5\tlove  you &amp; me\r\n2\t-1\tlove you & me\r\n3\t0.1234567\t" + "x" * 141 + "\r\n",
        "film": "1\t-3.33333333\tdull\r\n",
    }
    archive = archive_of(lines, tmp_path / "vader.zip")
    frame = sentences.extract(archive)
    assert frame.to_numpy().tolist() == [["tweet", 2.5, "love you & me"], ["film", -3.333, "dull"]]
    sentences.derive(archive, tmp_path / "a.gz")
    sentences.derive(archive, tmp_path / "b.gz")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_another_archive_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"not the source archive of vaderSentiment 0\.5"):
        sentences.extract(tmp_path / "x.zip")
