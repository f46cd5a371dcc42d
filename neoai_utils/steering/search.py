"""How far to steer? Try strengths on prompts of our own, for which a human's continuation is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from neoai_utils.steering.detector import similarity
from neoai_utils.steering.files import rates
from neoai_utils.steering.generation import generate, perplexity
from neoai_utils.steering.hooks import Change, steered
from neoai_utils.steering.models import Setting

__all__ = ["Trial", "best", "judge", "scan", "write"]

Changes = Mapping[int, Change]
_READ = 24  # texts whose perplexity is taken: reading them all again would cost as much as writing them


@dataclass(frozen=True)
class Trial:
    """Prompts with references; none of them may be a test prompt.

    Attributes:
        prompts: (n) beginnings.
        references: (n) the beginnings as humans went on.
    """

    prompts: Sequence[str]
    references: Sequence[str]


def write(setting: Setting, prompts: Sequence[str], changes: Changes | None = None) -> list[str]:
    """Let the writer go on with every prompt while its blocks are changed."""
    with steered(setting.writer.model, changes or {}):
        return generate(setting.writer, prompts, setting.sampling)


def judge(setting: Setting, trial: Trial, texts: Sequence[str]) -> dict[str, float]:
    """Return the metric, its two conditions, and the perplexity of the first texts under the unsteered writer."""
    found = rates(
        setting.detector.score(texts), similarity(setting.encoder, trial.references, texts), setting.window
    )  # fmt: skip
    return found | {"perplexity": perplexity(setting.writer, trial.prompts[:_READ], texts[:_READ])}


def scan(
    setting: Setting, trial: Trial, make: Callable[[float], Changes], strengths: Iterable[float]
) -> dict[float, dict[str, float]]:
    """Return strength -> what `judge` says of the texts written with the changes `make(strength)`."""
    return {s: judge(setting, trial, write(setting, trial.prompts, make(s))) for s in strengths}


def best(found: Mapping[float, Mapping[str, float]]) -> float:
    """Return the strength with the highest score; of equal ones the smallest step, which costs the least content."""
    return min(found, key=lambda strength: (-found[strength]["score"], abs(strength)))
