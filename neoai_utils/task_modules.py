"""The modules `files` and `miniature` of a task's folder, imported by the task's name."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from neoai_utils import discovery
from neoai_utils.competitions import Competition
from neoai_utils.errors import NeoaiError
from neoai_utils.scores import Grades

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Files", "Miniature", "files_of", "load", "miniature_of"]


class Files(Protocol):
    """Interface of a task's `files` module."""

    REQUIRED: tuple[str, ...]
    """Paths of the competition's files below its folder."""

    def check_submission(self, frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
        """Return the submission in the form in which it is written; raise `SubmissionError` for another form."""

    def parse_submission(self, path: Path) -> pd.DataFrame:
        """Read a submission's file; raise `DataError` if it is no table."""

    def grade(self, frame: pd.DataFrame, answers_dir: Path) -> Grades:
        """Grade a checked submission."""


class Miniature(Protocol):
    """Interface of a task's `miniature` package."""

    def Recipe(self, *, seed: int, **constants: Any) -> Any:
        """Return the dataclass of all constants of a miniature; those that are not given have their defaults."""

    def build(self, recipe: Any, data_dir: Path, answers_dir: Path) -> dict[str, float]:
        """Fill two existing folders; return facts about the miniature, such as its `ceiling`."""


def files_of(competition: Competition) -> Files:
    """Return a task's `files` module; raises as `load` does."""
    return cast(Files, load(competition, "files"))


def miniature_of(competition: Competition) -> Miniature:
    """Return a task's `miniature` package; raises as `load` does."""
    return cast(Miniature, load(competition, "miniature"))


def load(competition: Competition, module: Literal["files", "miniature"]) -> Any:
    """Import a module of a task's folder.

    Raises:
        NeoaiError: this version of the library has no code for the task, or this copy of it lacks the module, as an
            uploaded notebook lacks `miniature`.
    """
    folder = f"neoai_utils.{competition.technique}"
    if importlib.util.find_spec(folder) is None:
        raise NeoaiError(f"{competition.task} ({competition.title}) is not part of this version of neoai.")
    if importlib.util.find_spec(f"{folder}.{module}") is None:
        remedy = ""
        if module == "miniature":
            reason = discovery.not_found_message(competition.slug, files_of(competition).REQUIRED)
            remedy = f" An upload builds no miniature, and {reason}"
        raise NeoaiError(f"{competition.task}: this copy of neoai has no {folder}.{module}.{remedy}")
    return importlib.import_module(f"{folder}.{module}")
