"""One experiment of the ladder: an edit is made, pictures are drawn and judged, the edit is undone.

Own prompts, whose kinds we know, give the validation score by which strengths are chosen. Test prompts are drawn for
the grader alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils.diffusion.files import Kind, scores
from neoai_utils.diffusion.generation import Sampling, draw
from neoai_utils.diffusion.judge import Judge, right
from neoai_utils.runtime import PeakMemory, stopwatch

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image

__all__ = ["Edit", "Outcome", "Trial", "undone"]

Edit = Callable[["StableDiffusionPipeline"], object]
"""Changes a pipeline's weights in place; one that returns a context manager acts while that is entered."""


@dataclass(frozen=True)
class Outcome:
    """What an edit did.

    Attributes:
        own: the metric's parts on our own prompts: strict, official, horse, pig, neutral; empty without a judge.
        seconds: that the edit took, without drawing.
        memory_mb: the most memory that the edit took beside what was held before; None where it cannot be measured.
        pictures: of the test prompts.
    """

    own: dict[str, float]
    seconds: float
    memory_mb: float | None
    pictures: list[Image]


@dataclass(frozen=True)
class Trial:
    """What all experiments share.

    Attributes:
        pipe: the unedited pipeline.
        judge: sees the own pictures; None: nobody does, they are not drawn, and nothing is known of them.
        prompts: our own.
        kinds: what each asks for.
        tests: the competition's prompts.
        sampling: of the test prompts; own prompts get other noise.
    """

    pipe: StableDiffusionPipeline
    judge: Judge | None
    prompts: Sequence[str]
    kinds: Sequence[Kind]
    tests: Sequence[str]
    sampling: Sampling

    def run(self, edit: Edit, folder: Path | None = None) -> Outcome:
        """Make an edit, draw own and test prompts, undo the edit; test pictures go to a folder as they are drawn."""
        with undone(self.pipe), stopwatch() as watch:
            with PeakMemory(self.pipe.device) as memory:
                acting = entered(edit(self.pipe))
            watch.stop()
            with acting:
                drawn = draw(self.pipe, self.tests, self.sampling, folder)
                return Outcome(self._own_scores(), watch.seconds, memory.megabytes, drawn)

    def validate(self, edit: Edit) -> dict[str, float]:
        """Return the scores of an edit on our own prompts alone; nothing without a judge."""
        if self.judge is None:
            return {}
        with undone(self.pipe), entered(edit(self.pipe)):
            return self._own_scores()

    def _own_scores(self) -> dict[str, float]:
        if self.judge is None:
            return {}
        drawn = draw(self.pipe, self.prompts, replace(self.sampling, seed=self.sampling.seed + 1))
        return scores(self.kinds, right(self.judge, drawn, self.prompts, self.kinds))


def entered(result: object) -> AbstractContextManager[object]:
    """Return what an edit gave if it is a context manager, else one that does nothing."""
    return result if isinstance(result, AbstractContextManager) else nullcontext()


@contextmanager
def undone(pipe: StableDiffusionPipeline) -> Iterator[None]:
    """Put the weights of UNet and text encoder back at the end of the `with` block."""
    models = (pipe.unet, pipe.text_encoder)
    kept = [{name: values.detach().clone() for name, values in model.state_dict().items()} for model in models]
    try:
        yield
    finally:
        for model, state in zip(models, kept, strict=True):
            model.load_state_dict(state)
