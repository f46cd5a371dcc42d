"""Where a model comes from: folders, what is attached on Kaggle, the hub; nothing here asks the network."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType

import huggingface_hub
import pytest
from huggingface_hub import errors as hub_errors

from neoai_utils import pretrained
from neoai_utils.errors import AssetError

GEMMA = "google/gemma-2-2b"


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path / "input"))
    return tmp_path / "input"


class Hub:
    """Stands for the hub: notes what is asked for, and answers with an error if it has one."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.error: Exception | None = None

    def __call__(self, name: str, file: str) -> str:
        self.asked.append((name, file))
        if self.error is not None:
            raise self.error
        return file


@pytest.fixture
def hub(monkeypatch) -> Hub:
    hub = Hub()
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: os.environ.get("HF_TOKEN"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return hub


def model(folder: Path, marker: str = "config.json", **content: str) -> Path:
    folder.mkdir(parents=True)
    (folder / marker).write_text(json.dumps(content))
    return folder


def failure(kind: str) -> Exception:
    """Make an error of the hub without the answer that its versions ask for in their own ways."""
    error = getattr(hub_errors, kind)
    made = error.__new__(error)
    made.args = ("401 Client Error.\n\nmore",)
    return made


# ------------------------------------------------------------------------------------------------------------ folders


def test_a_folder_is_taken_as_it_is(mounts, hub, tmp_path: Path, monkeypatch) -> None:
    folder = model(tmp_path / "mine")
    assert pretrained.find(folder, "writer") == pretrained.find(str(folder), "writer") == str(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert pretrained.find("~/mine", "writer") == str(folder)
    assert hub.asked == []


def test_the_only_model_within_a_folder_is_meant(mounts, hub, tmp_path: Path) -> None:
    first = model(tmp_path / "top" / "transformers" / "1")
    assert pretrained.find(tmp_path / "top" / "transformers", "writer") == str(first)
    model(tmp_path / "top" / "transformers" / "2")
    with pytest.raises(AssetError, match=r"holds no config\.json; found there: 1, 2\. Give .*parameter writer"):
        pretrained.find(tmp_path / "top" / "transformers", "writer")


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "../x", "a/b/c", "C:\\models\\gemma", "", "a model"])
def test_what_is_no_folder_and_no_name_is_refused_before_the_hub_is_asked(mounts, hub, tmp_path, name) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AssetError, match="parameter writer"):
        pretrained.find(name or tmp_path / "file", "writer")
    assert hub.asked == []


# ------------------------------------------------------------------------------------------------------------- Kaggle


@pytest.mark.parametrize(
    "place",
    [
        "gemma-2/transformers/gemma-2-2b/2",
        "models/google/gemma-2/transformers/gemma-2-2b/1",
        "datasets/somebody/Gemma_2_2B",
        "gemma-2-2b",
    ],
)
def test_an_attached_model_comes_before_the_hub(mounts, hub, place: str) -> None:
    model(mounts / "gemma-2/transformers/gemma-2-2b-it/1", model_type="gemma2")
    folder = model(mounts / place, model_type="gemma2")
    assert pretrained.find(GEMMA, "writer") == str(folder)
    assert hub.asked == []


def test_an_attached_model_may_say_its_name_itself(mounts, hub) -> None:
    model(mounts / "other", _name_or_path="google/gemma-2-9b")
    (mounts / "broken").mkdir()
    (mounts / "broken/config.json").write_text("{")
    folder = model(mounts / "my-weights", _name_or_path=GEMMA)
    assert pretrained.find(GEMMA, "writer") == str(folder)


def test_the_newest_version_and_the_right_kind_of_file(mounts, hub) -> None:
    for version in ("2", "10", "9"):
        model(mounts / "sd/stable-diffusion-v1-5" / version, "model_index.json")
    model(mounts / "sd/stable-diffusion-v1-5/11")
    found = pretrained.find("stable-diffusion-v1-5/stable-diffusion-v1-5", "model", marker="model_index.json")
    assert Path(found).name == "10"


# ---------------------------------------------------------------------------------------------------------------- hub


def test_one_small_file_is_asked_for(mounts, hub) -> None:
    assert pretrained.find(GEMMA, "writer") == GEMMA
    assert hub.asked == [(GEMMA, "config.json")]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("GatedRepoError", r"gated: accept its licence at https://huggingface.co/google/gemma-2-2b .*HF_TOKEN.*attach"),
        ("RepositoryNotFoundError", "the hub has no model google/gemma-2-2b, .*Mind the spelling.*attach"),
        ("LocalEntryNotFoundError", r"cannot fetch config\.json of .*: 401 Client Error\. Mind .*internet on.*attach"),
    ],
)
def test_what_the_hub_refuses_is_told_with_the_remedy(mounts, hub, kind: str, told: str) -> None:
    hub.error = failure(kind)
    with pytest.raises(AssetError, match=told) as caught:
        pretrained.find(GEMMA, "writer")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("give its folder in the parameter writer.")


def test_a_similar_name_is_proposed(mounts, hub) -> None:
    hub.error = failure("RepositoryNotFoundError")
    with pytest.raises(AssetError, match=r"or not for this token: did you mean google/gemma-2-2b\?"):
        pretrained.find("google/gema-2-2b", "writer", known=(GEMMA,))


def test_the_token_comes_from_kaggles_secrets(mounts, hub, monkeypatch) -> None:
    class Client:
        secret: str | Exception = "hf_x"

        def get_secret(self, label: str) -> str:
            assert label == "HF_TOKEN"
            if isinstance(self.secret, Exception):
                raise self.secret
            return self.secret

    secrets = ModuleType("kaggle_secrets")
    secrets.UserSecretsClient = Client
    monkeypatch.setitem(sys.modules, "kaggle_secrets", secrets)
    Client.secret = ValueError("no such secret")
    pretrained.find(GEMMA, "writer")
    assert "HF_TOKEN" not in os.environ
    Client.secret = "hf_x"
    pretrained.find(GEMMA, "writer")
    assert os.environ.pop("HF_TOKEN") == "hf_x"
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    pretrained.find(GEMMA, "writer")
    assert os.environ["HF_TOKEN"] == "hf_mine"
