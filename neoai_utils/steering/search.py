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

__all__ = ["ValidationSet", "best", "estimated_hours", "judge", "scan", "scan_both_signs", "write"]

Changes = Mapping[int, Change]
_PERPLEXITY_TEXTS = 24  # reading all texts again would cost as much as generating them
_COARSE = (-8.0, -4.0, -2.0, 2.0, 4.0, 8.0)
_FINER = (0.5, 0.75, 1.5)  # times the best of the coarse strengths
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


def write(setup: Setup, prompts: Sequence[str], changes: Changes | None = None) -> list[str]:
    """Return each prompt with the writer's continuation, generated with changed blocks."""
    with steered(setup.writer.model, changes or {}):
        return generate(setup.writer, prompts, setup.sampling)


def judge(setup: Setup, validation: ValidationSet, texts: Sequence[str]) -> Grades:
    """Return the metric of the validation texts, with the parts `window`, `content` and `perplexity`.

    The perplexity is that of the first 24 texts under the unsteered writer.
    """
    cosines = similarity(setup.encoder, validation.references, texts)
    grades = metric.grade(setup.detector.score(texts), cosines, setup.window)
    count = _PERPLEXITY_TEXTS
    surprise = perplexity(setup.writer, validation.prompts[:count], texts[:count], setup.sampling.batch)
    return Grades(grades.score, {**grades.parts, "perplexity": surprise}, grades.draws)


def scan(
    setup: Setup, validation: ValidationSet, make: Callable[[float], Changes], strengths: Iterable[float]
) -> pd.DataFrame:
    """Judge the validation texts written with the changes `make(strength)`.

    Returns:
        A row for each strength (the index), with the columns `score`, `error` (one standard
            error), `window`, `content` and `perplexity`.
    """
    import pandas as pd

    grades = {s: judge(setup, validation, write(setup, validation.prompts, make(s))) for s in strengths}
    rows = {strength: {"score": grade.score, "error": grade.error, **grade.parts} for strength, grade in grades.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("strength")


def scan_both_signs(setup: Setup, validation: ValidationSet, make: Callable[[float], Changes]) -> pd.DataFrame:
    """Scan strengths of both signs, ±2, ±4 and ±8, then a half, three quarters and one and a half times the best.

    Returns:
        As `scan`, sorted by strength; eight or nine rows.
    """
    import pandas as pd

    coarse = scan(setup, validation, make, _COARSE)
    finer = [share * best(coarse) for share in _FINER if share * best(coarse) not in coarse.index]
    return pd.concat([coarse, scan(setup, validation, make, finer)]).sort_index()


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


def best(results: pd.DataFrame) -> float:
    """Return the strength with the highest score; of equal ones the smallest step, which costs the least content.

    Args:
        results: as `scan` returns them.
    """
    strengths: list[float] = results.index.tolist()
    return min(strengths, key=lambda strength: (-results["score"][strength], abs(strength)))
