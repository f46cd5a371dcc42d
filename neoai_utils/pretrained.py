"""The source of a pretrained model: a folder, a model attached on Kaggle, or a name on the Hugging Face hub.

`find` downloads one small file first. A wrong name, a licence that was not accepted or a missing network is therefore
reported after a second and not after gigabytes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from neoai_utils import discovery, runtime
from neoai_utils.errors import AssetError, did_you_mean

__all__ = ["find", "first_line"]

_FOLDER = "Give the folder of a downloaded model in the parameter {}."
_ELSE = "attach the model on Kaggle (Add Input, Models), or give its folder in the parameter {}."
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


def find(name: str | Path, parameter: str, *, marker: str = "config.json", known: Sequence[str] = ()) -> str:
    """Return the folder, or the name on the hub, to load a model from.

    An existing folder is returned. For a name on the hub, a model attached on Kaggle takes precedence: its folder has
    the last part of the name, or its configuration contains the name. The hub's token is read from Kaggle's secrets if
    the environment has none.

    Args:
        name: a folder or a name on the hub, such as google/gemma-2-2b.
        parameter: the notebook's parameter that names the model, for messages.
        marker: file that every folder of such a model contains.
        known: valid names, from which the message for a wrong name suggests one.

    Raises:
        AssetError: there is no such folder or no such model on the hub, its licence was not accepted, or the hub cannot
            be reached. The message names the remedy.
    """
    folder = Path(name).expanduser()
    if folder.exists():
        return str(_marked(folder, marker, parameter))
    name = str(name)
    if not _HUB_NAME.fullmatch(name) or name.startswith("."):
        raise AssetError(
            f"there is no folder {name}. Give the folder of a downloaded model in the parameter {parameter}."
        )
    attached = _attached(name, marker)
    if attached is not None:
        return str(attached)
    _set_token()
    _check_hub(name, parameter, marker, known)
    return name


def _marked(folder: Path, marker: str, parameter: str) -> Path:
    """Return the folder that holds the marker: the given one, or the only one at most two levels below."""
    if (folder / marker).is_file():
        return folder
    if folder.is_dir():
        below = [path.parent for pattern in ("*", "*/*") for path in folder.glob(f"{pattern}/{marker}")]
        if len(below) == 1:
            return below[0]
        listing = ", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "nothing"
        problem = f"the folder {folder} holds no {marker}; found there: {listing}"
    else:
        problem = f"{folder} is no folder"
    raise AssetError(f"{problem}. {_FOLDER.format(parameter)}")


def _attached(name: str, marker: str) -> Path | None:
    """Return the folder of the newest version of a model attached on Kaggle; None if there is none."""
    model = _plain(name.rpartition("/")[2])
    root = runtime.kaggle_folder("input")
    folders = []
    for path in discovery.mounted_files(marker):
        parts = path.parent.relative_to(root).parts
        if model in map(_plain, parts) or _names_model(path, name):
            folders.append(path.parent)
    return max(folders, key=_version, default=None)


def _plain(word: str) -> str:
    return re.sub(r"[\W_]+", "-", word.lower())


def _names_model(configuration: Path, name: str) -> bool:
    """Return whether a configuration contains the model's name on the hub."""
    try:
        content = json.loads(configuration.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("_name_or_path") == name


def _version(folder: Path) -> tuple[int, str]:
    """Return a sort key: Kaggle's version number, which is the last part of the path."""
    return (int(folder.name) if folder.name.isdecimal() else 0, str(folder))


def _set_token() -> None:
    """Set the hub's token from Kaggle's secrets if there is none."""
    from huggingface_hub import get_token

    if get_token():
        return
    try:
        from kaggle_secrets import UserSecretsClient
    except ImportError:
        return
    try:
        token = UserSecretsClient().get_secret("HF_TOKEN")
    except Exception:  # no such secret, or no network; Kaggle's errors have no common base class
        return
    if token:
        os.environ["HF_TOKEN"] = token


def _check_hub(name: str, parameter: str, marker: str, known: Sequence[str]) -> None:
    """Download the marker, to check that the model exists and may be downloaded."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    other = _ELSE.format(parameter)
    similar = did_you_mean(name, known) if known and name not in known else ""
    try:
        hf_hub_download(name, marker)
    except GatedRepoError as error:
        raise AssetError(
            f"{name} is gated: accept its licence at https://huggingface.co/{name} and give your token as HF_TOKEN (in "
            f"the environment, or as a secret on Kaggle or Colab), or run `hf auth login`; or {other}"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise AssetError(
            f"the hub has no model {name}, or not for this token{similar}. Mind the spelling; or {other}"
        ) from error
    except Exception as error:  # network errors come from several packages
        raise AssetError(
            f"cannot fetch {marker} of {name}{similar}: {first_line(error)}. Mind the spelling, switch the internet "
            f"on; or {other}"
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, without its full stop."""
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
