"""The eight competitions of NEOAI 2025 as data: names, files, metrics and the scores that stand on record.

The scores are those of the public write-up `stefanasandei/roai-solved` (international-contests/neoai/2025):
the organisers' baseline, that author's published solution, and the best of the leaderboard. The slugs are those
of `open-cu/awesome-ioai-tasks` and of the public notebooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from neoai_utils.errors import UnknownTaskError, did_you_mean

__all__ = ["COMPETITIONS", "Competition", "find"]


@dataclass(frozen=True)
class Competition:
    """One competition.

    Attributes:
        task: our name, "task1" … "task8".
        title: the organisers' title.
        slug: the last part of its Kaggle address; Kaggle mounts its files under `/kaggle/input/<slug>`.
        technique: the folder of `neoai_utils` that holds its code.
        metric: the metric in words.
        higher_is_better: False for an error.
        baseline: leaderboard score of the organisers' baseline.
        published: leaderboard score of the published solution; None where there is none.
        best: best score of the leaderboard.
        submission_columns: the columns of a submission, in order.
    """

    task: str
    title: str
    slug: str
    technique: str
    metric: str
    higher_is_better: bool
    baseline: float
    published: float | None
    best: float
    submission_columns: tuple[str, ...]

    @property
    def number(self) -> int:
        """Return the task's number, 1 to 8."""
        return int(self.task.removeprefix("task"))


def _all() -> tuple[Competition, ...]:
    slug = "neoai-2025-"
    return (
        Competition(
            "task1", "Tricy table data", slug + "tricy-table-data", "tabular",
            "fourth root of the mean squared error", False, 3.14, 2.95, 2.24, ("id", "target"),
        ),
        Competition(
            "task2", "Underfitting CV", slug + "underfitting-cv", "continual",
            "accuracy", True, 0.53, 0.72, 0.78, ("id", "class"),
        ),
        Competition(
            "task3", "Evading AI-generated text detection", slug + "evading-generated-text-detection", "steering",
            "share of texts in the human window with their content kept", True, 0.07, None, 0.32,
            ("prompt", "generation"),
        ),
        Competition(
            "task4", "Cluster pictures", slug + "cluster-pictures", "clustering",
            "adjusted Rand index", True, 0.02, 0.08, 0.11, ("id", "target"),
        ),
        Competition(
            "task5", "Broken BERT", slug + "broken-bert", "embeddings",
            "accuracy", True, 0.36, 0.42, 0.44, ("labels", "id"),
        ),
        Competition(
            "task6", "Hogspell challenge", slug + "hogspell-challenge", "diffusion",
            "harmonic mean of three accuracies", True, 0.40, 0.93, 0.99, ("id", "0"),
        ),
        Competition(
            "task7", "Cuties segmentation", slug + "cuties-segmentation", "segmentation",
            "mean intersection over union", True, 0.36, 0.78, 0.73, ("img_id", "mask"),
        ),
        Competition(
            "task8", "Intent detection and slot filling", slug + "intent-detection-and-slot-filling", "crosslingual",
            "mean of two weighted F1 scores", True, 0.29, 0.34, 0.58, ("id", "intent", "slots"),
        ),
    )  # fmt: skip


COMPETITIONS: Mapping[str, Competition] = MappingProxyType({c.task: c for c in _all()})


def find(task: str | int) -> Competition:
    """Return the competition named `"task7"`, `"7"` or `7`.

    Raises:
        UnknownTaskError: there is no such task; the message suggests the closest one.
    """
    word = str(task).strip().lower()
    name = f"task{word}" if word.isdigit() else word
    if name not in COMPETITIONS:
        hint = f"; tasks are 1 to {len(COMPETITIONS)}" if word.isdigit() else did_you_mean(name, COMPETITIONS)
        raise UnknownTaskError(f"unknown task {task!r}{hint}")
    return COMPETITIONS[name]
