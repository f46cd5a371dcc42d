"""Files that are something else than their names say."""

import gzip
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from neoai_utils.signatures import is_safetensors, stranger
from tests.eight import zipped

FILES = {
    "an empty file": (b"", "it is empty. Copy the file again"),
    "zero bytes": (bytes(9), "it begins with zero bytes alone. Copy the file again"),
    "a web page": (b"\n<!DOCTYPE html><html>", "it is a web page, such as one that asks to log in. Download"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
    "gzip": (gzip.compress(b"id"), "it is packed by gzip. Unpack it"),
    "a ZIP archive": (zipped(**{"a.csv": "id\n"}), "it is a ZIP archive that holds a.csv. Unpack it"),
    "half a ZIP archive": (zipped(**{"a.csv": "id\n"})[:20], "it is half a ZIP archive. Copy the right file"),
    "a pickle": (b"\x80\x04\x95", "it is a Python pickle. Copy the right file"),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_kind_of_a_file_is_named_with_a_remedy(kind: str, tmp_path: Path) -> None:
    content, message = FILES[kind]
    path = tmp_path / "file"
    path.write_bytes(content)
    assert stranger(path).startswith(message)
    assert not is_safetensors(path)


def test_safetensors_are_recognised(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    assert is_safetensors(tmp_path / "model.pt")
    assert stranger(tmp_path / "model.pt") == "it is a safetensors file. Name it so (.safetensors)"


def test_plain_text_and_missing_files_have_no_message(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n")
    assert stranger(tmp_path / "a.csv") == stranger(tmp_path / "absent") == ""
