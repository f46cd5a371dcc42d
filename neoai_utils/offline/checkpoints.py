"""Models of transformers from weights of other file formats."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from neoai_utils.errors import AssetError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    Model = TypeVar("Model", bound=PreTrainedModel)

__all__ = ["load_strictly", "need"]


def load_strictly(model_class: type[Model], folder: Path | None, **options: Any) -> Model:
    """Return `model_class.from_pretrained(folder, **options)` in evaluation mode; all weights must fit.

    Args:
        model_class: the class of the model.
        folder: its checkpoint; None: the options `config` and `state_dict` describe the model. The weights have the
            names of the published checkpoint; transformers renames them if its version uses other names.
        options: further arguments of `from_pretrained`.

    Raises:
        AssetError: a weight is missing, unexpected or of another shape.
    """
    with _no_bars():
        model, report = model_class.from_pretrained(folder, output_loading_info=True, **options)
    problems = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
    if problems:
        raise AssetError(f"the weights do not fit {model_class.__name__} of this transformers: {problems}")
    result: Model = model.eval()
    return result


def need(*packages: str, purpose: str) -> None:
    """Check that packages are installed.

    Args:
        packages: their import names.
        purpose: what needs them, for the message.

    Raises:
        AssetError: one is not installed; the message names the remedy.
    """
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise AssetError(f"{purpose} needs {' and '.join(missing)}: pip install {' '.join(missing)}")


@contextmanager
def _no_bars() -> Iterator[None]:
    """Disable the progress bars that transformers draws while it loads a model.

    Its own option does not affect the bar of the GGUF reader. All bars are objects of this class of tqdm.
    """
    from tqdm.auto import tqdm

    original = tqdm.__init__
    tqdm.__init__ = partialmethod(original, disable=True)
    try:
        yield
    finally:
        tqdm.__init__ = original
