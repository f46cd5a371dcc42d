"""Text files in other encodings, packed, damaged, or no text at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils.errors import DataError, DataWarning
from neoai_utils.reading import read_text
from tests.eight import zipped

ENGLISH = "id,text\n1,“naïve” café – 5 €\n"
RUSSIAN = "погода завтра\nв Москве, 5 °C\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.csv"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff")))
def test_utf_8_is_read_as_it_is(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    head = "# "  # a text may begin like a PDF
    for mark in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(mark + (head + text).encode())
        assert read_text(path) == head + text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (ENGLISH.encode("cp1252"), r"test.csv is no UTF-8 \(line 2\); read as Windows-1252"),
        (ENGLISH.encode("utf-16"), "test.csv is in UTF-16, not in UTF-8; read so"),
        (ENGLISH.encode("utf-16-be"), "test.csv is in UTF-16-BE, not in UTF-8; read so"),
        (ENGLISH.encode("utf-32"), "test.csv is in UTF-32, not in UTF-8; read so"),
        (gzip.compress(ENGLISH.encode(), mtime=0), "test.csv is packed by gzip; unpacked"),
        (zipped(**{"a.csv": ENGLISH}), r"test.csv is a ZIP archive that holds a.csv; unpacked"),
        (zipped(**{"other": "", "x/test.csv": ENGLISH, "__MACOSX/x": ""}), "that holds x/test.csv; unpacked"),
    ],
)
def test_what_leaves_no_doubt_is_read_with_a_warning(path: Path, content: bytes, told: str) -> None:
    path.write_bytes(content)
    with pytest.warns(DataWarning, match=told):
        assert read_text(path) == ENGLISH
    with pytest.raises(DataError, match=r"test\.csv is .*\. (Write it as UTF-8|Unpack it)"):
        read_text(path, exact=True)


def test_cyrillic_in_one_byte_is_told_from_western_letters(path: Path) -> None:
    path.write_bytes(RUSSIAN.encode("cp1251"))
    with pytest.warns(DataWarning, match="read as Windows-1251"):
        assert read_text(path) == RUSSIAN


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (RUSSIAN.encode() + b"\xff", r"test.csv cannot be read as UTF-8 text: line 3, byte 0xff"),
        (RUSSIAN.encode()[:5], "test.csv cannot be read as UTF-8 text"),
        (b"a\x81", "test.csv cannot be read as UTF-8 text: line 1, byte 0x81"),
        (gzip.compress(ENGLISH.encode(), mtime=0)[:30], "test.csv is a damaged or locked archive"),
        (zipped(a="")[:40], "test.csv is a damaged or locked archive"),
        (zipped(a="", b=""), "test.csv is a ZIP archive that holds a, b. Unpack it"),
        (
            zipped(**{"[Content_Types].xml": "", "xl/workbook.xml": ""}),
            "test.csv is an Excel workbook. Write the table as CSV",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "test.csv is a Git LFS pointer.*`git lfs pull`",
        ),
        (b"\n  <!doctype html>\n<html>", "test.csv is a web page .* download the file again"),
        (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', "test.csv is a web page"),
        (b"PAR1\x15\x04", "test.csv is a Parquet file. Write the table as CSV, or copy the right file"),
        (gzip.compress(b"PAR1", mtime=0), "test.csv is a Parquet file"),
        (b"\xd0\xcf\x11\xe0", "test.csv is an Excel workbook. Write the table as CSV"),
        (b"\x89PNG\r\n\x1a\n", "test.csv is a picture"),
    ],
)
@pytest.mark.filterwarnings("ignore::neoai_utils.errors.DataWarning")
def test_what_is_no_text_is_called_by_its_name(path: Path, content: bytes, told: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_text(path)


def test_a_page_may_be_spoken_of(path: Path) -> None:
    """Text that holds tags is text, unless it begins as a page does."""
    path.write_text("text\n<html> is a tag\n", encoding="utf-8")
    assert read_text(path).endswith("<html> is a tag\n")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent does not exist. Check the path"):
        read_text(tmp_path / "absent")
    with pytest.raises(DataError, match="cannot be read"):
        read_text(tmp_path)
