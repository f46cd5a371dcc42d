"""Build models of `transformers` from weights that came out of a file of another format."""

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
    """Return `model_class.from_pretrained(folder, **options)` for evaluation, with every weight accounted for.

    Without a folder, the options `config` and `state_dict` describe the model. The weights have the names of the
    published checkpoint; transformers renames them where its version calls a layer otherwise.

    Raises:
        AssetError: a weight is missing, left over or misshapen.
    """
    with _no_bars():
        model, report = model_class.from_pretrained(folder, output_loading_info=True, **options)
    problems = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
    if problems:
        raise AssetError(f"the weights do not fit {model_class.__name__} of this transformers: {problems}")
    result: Model = model.eval()
    return result


def need(*packages: str, purpose: str) -> None:
    """Raise `AssetError` that names the remedy if one of the importable `packages` is not installed."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise AssetError(f"{purpose} needs {' and '.join(missing)}: pip install {' '.join(missing)}")


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep the bars that transformers draws while it loads out of notebooks and logs.

    Its own switch does not reach the bar of the GGUF reader; all of them are tqdm's, made with this class.
    """
    from tqdm.auto import tqdm

    drawn = tqdm.__init__
    tqdm.__init__ = partialmethod(drawn, disable=True)
    try:
        yield
    finally:
        tqdm.__init__ = drawn
