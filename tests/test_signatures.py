"""Files in another format than their name says, recognised by their first bytes."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

from neoai_utils import signatures
from neoai_utils.signatures import HEAD, PICKLE, PICTURE, TORCH, format_of, identify
from tests.eight import zipped


def written(writer, *arguments: object, **options: object) -> bytes:
    """Return what a function writes into a file."""
    buffer = io.BytesIO()
    writer(*arguments, buffer, **options)
    return buffer.getvalue()


FILES = {  # file -> what is said of it
    "nothing": (b"", "it is empty. Copy the file again"),
    "zeros": (bytes(9), "it begins with zero bytes alone. Copy the file again"),
    "text": (b"id,text\n1,a\n", ""),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer, not the file itself. Fetch"),
    "page": (b" \n<!DOCTYPE html><html>", "it is a web page (HTML or XML), probably an error or a sign-in page"),
    "page with a mark": (b"\xef\xbb\xbf<HTML>", "it is a web page"),
    "xml": (b'<?xml version="1.0"?>\n<Error>', "it is a web page"),
    "safetensors": (save({"a": torch.zeros(1)}), "it is a safetensors file. Name it so (.safetensors)"),
    "zip": (zipped(**dict.fromkeys("abcde", "")), "it is a ZIP archive that holds a, b, c, d …. Unpack it"),
    "empty zip": (zipped(), "it is an empty ZIP archive. Copy"),
    "half a zip": (zipped(a="")[:30], "it is half a ZIP archive. Copy the right file"),
    "workbook": (zipped(**{"[Content_Types].xml": "", "xl/workbook.xml": ""}), "it is an Excel workbook. Write"),
    "gzip": (gzip.compress(b"a"), "it is packed by gzip. Unpack it and put the file in its place"),
    "array": (
        written(lambda array, file: np.save(file, array), np.zeros(2)),
        "it is a single NumPy array (.npy).",
    ),
    "parquet": (written(pd.DataFrame({"a": [1]}).to_parquet), "it is a Parquet file. Write the table as CSV, or copy"),
    "picture": (written(lambda file: Image.new("L", (2, 2)).save(file, "JPEG")), "it is a picture. Copy"),
    "torch": (written(torch.save, {"a": torch.zeros(1)}), "it is a file of torch.save. Copy"),
    "old torch": (written(torch.save, {}, _use_new_zipfile_serialization=False), "it is a Python pickle. Copy"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_recognised_and_a_remedy_given(tmp_path: Path, name: str) -> None:
    content, message = FILES[name]
    (tmp_path / "file").write_bytes(content)
    said = identify(tmp_path / "file")
    assert said.startswith(message)
    assert bool(said) == bool(message)
    assert not said.endswith(".")


@pytest.mark.parametrize(("name", "format"), [("picture", PICTURE), ("torch", TORCH), ("old torch", PICKLE)])
def test_an_expected_format_is_not_mentioned(tmp_path: Path, name: str, format) -> None:
    (tmp_path / "file").write_bytes(FILES[name][0])
    assert identify(tmp_path / "file", (format,)) == ""


def test_a_file_that_cannot_be_opened_has_no_format(tmp_path: Path) -> None:
    assert identify(tmp_path) == identify(tmp_path / "absent") == ""
    assert not signatures.is_safetensors(tmp_path / "absent")


@given(st.text(st.characters(codec="utf-8", exclude_characters="<\0")))
def test_text_in_sentences_has_no_format(text: str) -> None:
    assert format_of(f"Text: {text}".encode()[:HEAD]) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_taken(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    identify(path)
