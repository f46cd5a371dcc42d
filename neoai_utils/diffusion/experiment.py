"""One row of the ladder: an edit is made, pictures are drawn and judged, the edit is undone.

Our own prompts, whose kinds we know, give the validation score by which strengths are chosen. Test prompts are drawn
for the submission alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils.diffusion import metric
from neoai_utils.diffusion.generation import Sampling, draw
from neoai_utils.diffusion.judge import Judge, correct
from neoai_utils.diffusion.metric import Kind
from neoai_utils.runtime import PeakMemory, stopwatch
from neoai_utils.scores import Grades

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image

__all__ = ["Edit", "Experiment", "Outcome", "undone"]

Edit = Callable[["StableDiffusionPipeline"], object]
"""Changes a pipeline's weights in place; one that returns a context manager acts while that is entered."""


@dataclass(frozen=True)
class Outcome:
    """The result of an edit.

    Attributes:
        validation: the grades on our own prompts; None without a judge.
        seconds: duration of the edit, without drawing.
        memory_mb: the most memory that the edit took, less what was held before; None where it cannot be measured.
        pictures: of the test prompts; empty where they were not drawn.
    """

    validation: Grades | None
    seconds: float
    memory_mb: float | None
    pictures: list[Image]


@dataclass(frozen=True)
class Experiment:
    """What all rows of the ladder share.

    Attributes:
        pipe: the unedited pipeline.
        judge: judges the pictures of our own prompts; None: they are not drawn, and there is no validation.
        prompts: our own.
        kinds: of our own prompts.
        tests: the competition's prompts.
        sampling: of the test prompts; our own prompts get other noise.
    """

    pipe: StableDiffusionPipeline
    judge: Judge | None
    prompts: Sequence[str]
    kinds: Sequence[Kind]
    tests: Sequence[str]
    sampling: Sampling

    def run(self, edit: Edit, *, tests: bool = True, known: Grades | None = None) -> Outcome:
        """Make an edit, draw our own and the test prompts, undo the edit.

        Args:
            edit: changes the pipeline.
            tests: draw the test prompts.
            known: what `validate` returned for this edit; our own prompts are not drawn again.
        """
        with undone(self.pipe), stopwatch() as watch:
            with PeakMemory(self.pipe.device) as memory:
                active = as_context(edit(self.pipe))
            watch.stop()
            with active:
                pictures = draw(self.pipe, self.tests, self.sampling) if tests else []
                return Outcome(known or self._validation(), watch.seconds, memory.megabytes, pictures)

    def draw_tests(self, edit: Edit, folder: Path) -> list[Image]:
        """Make an edit, draw the test prompts, undo the edit; pictures are written to a folder (`generation.draw`)."""
        with undone(self.pipe), as_context(edit(self.pipe)):
            return draw(self.pipe, self.tests, self.sampling, folder)

    def validate(self, edit: Edit) -> Grades | None:
        """Return the grades of an edit on our own prompts alone; None without a judge."""
        if self.judge is None:
            return None
        with undone(self.pipe), as_context(edit(self.pipe)):
            return self._validation()

    def _validation(self) -> Grades | None:
        if self.judge is None:
            return None
        pictures = draw(self.pipe, self.prompts, replace(self.sampling, seed=self.sampling.seed + 1))
        return metric.grade(self.kinds, correct(self.judge, pictures, self.prompts, self.kinds))


def as_context(result: object) -> AbstractContextManager[object]:
    """Return what an edit returned if it is a context manager, else one that does nothing."""
    return result if isinstance(result, AbstractContextManager) else nullcontext()


@contextmanager
def undone(pipe: StableDiffusionPipeline) -> Iterator[None]:
    """Restore the weights of UNet and text encoder at the end of the `with` block, also after an error.

    Their copy lies in the host's memory (2 GB for Stable Diffusion 1.5 in half precision), not on the GPU.
    """
    models = (pipe.unet, pipe.text_encoder)
    states = [
        {name: values.detach().to("cpu", copy=True) for name, values in model.state_dict().items()} for model in models
    ]
    try:
        yield
    finally:
        for model, state in zip(models, states, strict=True):
            model.load_state_dict(state)
