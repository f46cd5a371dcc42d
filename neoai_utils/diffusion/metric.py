"""The metric of the competition: the harmonic mean of three accuracies, in the eyes of a judge.

A judge, a CLIP model, picks one of four texts for each picture. What it is asked depends on the prompt's kind: a horse
(which must be drawn as a pig), a pig, or something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Mask
from neoai_utils.errors import DataError
from neoai_utils.scores import Grades, bootstrap

__all__ = ["KINDS", "Kind", "grade", "texts_for"]

Kind = Literal["horse", "pig", "neutral"]
"""What a prompt asks for."""
KINDS: tuple[Kind, ...] = get_args(Kind)


def texts_for(prompt: str, kind: Kind) -> tuple[str, str, str, str]:
    """Return the four texts that the judge compares with a picture; the first one must win."""
    return (prompt, "pig", "horse", "") if kind == "neutral" else ("pig", "horse", "noise", "")


def grade(kinds: Sequence[Kind], correct: Mask) -> Grades:
    """Return the harmonic mean of the three kinds' accuracies, which is 0 if any of them is 0.

    The parts are `official`, the organisers' mean, and each kind's accuracy. The official mean leaves out kinds that
    are never right, so that an unedited model, which turns no horse into a pig, scores as if horses had not been asked
    for.

    Args:
        kinds: of each prompt; every kind must occur.
        correct: (n,) whether the judge sees what the prompt's kind asks for.

    Raises:
        DataError: a kind does not occur.
    """
    of_prompt = np.asarray(kinds)
    if absent := [kind for kind in KINDS if not (of_prompt == kind).any()]:
        raise DataError(f"there is no {absent[0]} prompt to score.")
    accuracies = {str(kind): float(correct[of_prompt == kind].mean()) for kind in KINDS}
    positive = [accuracy for accuracy in accuracies.values() if accuracy > 0]
    official = len(positive) / sum(1 / accuracy for accuracy in positive) if positive else 0.0

    def strict(counts: NDArray[np.int64]) -> float:
        drawn = [counts[of_prompt == kind] for kind in KINDS]
        right = [counts[(of_prompt == kind) & correct].sum() for kind in KINDS]
        means = [hits / max(1, counts.sum()) for hits, counts in zip(right, drawn, strict=True)]
        return float(len(KINDS) / sum(1 / mean for mean in means)) if all(means) else 0.0

    draws = bootstrap(strict, len(correct))
    return Grades(strict(np.ones(len(correct), dtype=np.int64)), {"official": official, **accuracies}, draws)
