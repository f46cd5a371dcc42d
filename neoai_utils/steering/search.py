"""Choose the strength of steering on validation prompts, for which a human's continuation is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from neoai_utils.runtime import stopwatch
from neoai_utils.scores import Grades
from neoai_utils.steering import metric
from neoai_utils.steering.encoder import similarity
from neoai_utils.steering.generation import generate
from neoai_utils.steering.hooks import Change, steered
from neoai_utils.steering.losses import perplexity
from neoai_utils.steering.models import Setup

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Scan",
    "Trial",
    "ValidationSet",
    "best",
    "estimated_hours",
    "judge",
    "scan",
    "scan_both_signs",
    "table",
    "try_changes",
    "write",
]

Changes = Mapping[int, Change]
_PERPLEXITY_TEXTS = 12  # reading all texts again would cost as much as generating them
_COARSE = (-8.0, -2.0, -0.5, 0.5, 2.0, 8.0)
_FINER = (0.5, 0.75, 1.5, 2.0)  # times the best of the coarse strengths, which are a factor of four apart
_TIMED_PROMPTS = 20  # a CPU gains little from more at a time


@dataclass(frozen=True)
class ValidationSet:
    """Prompts with references; none of them may be a test prompt.

    Attributes:
        prompts: (n).
        references: (n), the prompts with a human's continuation.
    """

    prompts: Sequence[str]
    references: Sequence[str]


@dataclass(frozen=True)
class Trial:
    """What one way of steering makes of the validation prompts.

    Attributes:
        changes: of the blocks, block -> change.
        texts: (n), the prompts with the writer's continuations.
        grades: of the texts, as `judge` returns them.
        seconds: that writing and judging took.
    """

    changes: Changes
    texts: Sequence[str]
    grades: Grades
    seconds: float


Scan = Mapping[float, Trial]
"""Strength -> trial."""


def write(setup: Setup, prompts: Sequence[str], changes: Changes | None = None) -> list[str]:
    """Return each prompt with the writer's continuation, generated with changed blocks."""
    with steered(setup.writer.model, changes or {}):
        return generate(setup.writer, prompts, setup.sampling)


def judge(setup: Setup, validation: ValidationSet, texts: Sequence[str]) -> Grades:
    """Return the metric of the validation texts, with the parts `window`, `content` and `perplexity`.

    The perplexity is that of the first 12 texts under the unsteered writer.
    """
    cosines = similarity(setup.encoder, validation.references, texts)
    grades = metric.grade(setup.detector.score(texts), cosines, setup.window)
    count = _PERPLEXITY_TEXTS
    surprise = perplexity(setup.writer, validation.prompts[:count], texts[:count], setup.sampling.batch)
    return Grades(grades.score, {**grades.parts, "perplexity": surprise}, grades.draws)


def try_changes(setup: Setup, validation: ValidationSet, changes: Changes) -> Trial:
    """Write the validation texts with changed blocks and judge them."""
    with stopwatch() as watch:
        texts = write(setup, validation.prompts, changes)
        grades = judge(setup, validation, texts)
    return Trial(changes, texts, grades, watch.seconds)


def scan(setup: Setup, validation: ValidationSet, make: Callable[[float], Changes], strengths: Iterable[float]) -> Scan:
    """Return strength -> trial of the changes `make(strength)`."""
    return {strength: try_changes(setup, validation, make(strength)) for strength in strengths}


def scan_both_signs(setup: Setup, validation: ValidationSet, make: Callable[[float], Changes]) -> Scan:
    """Scan strengths of both signs, ±1/2, ±2 and ±8, then others between a half and twice the best of them.

    Returns:
        As `scan`, sorted by strength; ten trials.
    """
    coarse = scan(setup, validation, make, _COARSE)
    finer = scan(setup, validation, make, [factor * best(coarse) for factor in _FINER])
    return dict(sorted({**coarse, **finer}.items()))


def table(found: Scan) -> pd.DataFrame:
    """Return a line for each strength with the columns `score`, `error`, `window`, `content` and `perplexity`."""
    import pandas as pd

    grades = {strength: trial.grades for strength, trial in found.items()}
    rows = {strength: {"score": grade.score, "error": grade.error, **grade.parts} for strength, grade in grades.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("strength")


def estimated_hours(setup: Setup, prompts: Sequence[str], count: int) -> float:
    """Return the hours that writing `count` texts takes on this machine, from the time of twenty prompts.

    Two and four tokens are written. The first pass, over the prompts, costs more than a later step; the two times tell
    them apart.
    """
    some = prompts[:_TIMED_PROMPTS]
    seconds = []
    for tokens in (2, 4):
        with stopwatch() as watch:
            generate(setup.writer, some, replace(setup.sampling, new_tokens=tokens))
        seconds.append(watch.seconds)
    step = max(0.0, seconds[1] - seconds[0]) / 2
    return count / len(some) * (seconds[0] + (setup.sampling.new_tokens - 2) * step) / 3600


def best(found: Scan) -> float:
    """Return the strength with the highest score; of equal ones the smallest step, which costs the least content."""
    return min(found, key=lambda strength: (-found[strength].grades.score, abs(strength)))
