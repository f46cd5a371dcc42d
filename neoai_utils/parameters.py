"""The guard behind each notebook's parameters cell.

papermill only logs a warning for a parameter that the notebook does not know, and `-p threshold high` assigns the
text "high" without a word. The guard runs in the cell after the parameters and turns both into errors, so that
even the bare papermill command fails before any work is done. (The idea of refusing unknown keys is that of
nanoGPT's `configurator.py`.)

A parameters cell declares each parameter with its type: `threshold: float = None  # help`. Python keeps these
annotations in the namespace (`__annotations__`); the values that papermill injects stand in a cell of their own,
which begins with `# Parameters` and is found in IPython's history of inputs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neoai_utils.errors import ParameterError, did_you_mean

__all__ = ["check", "parse"]

_INJECTED = "# Parameters"
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,)}
_READERS: dict[str, Callable[[str], int | float | str | bool]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
}
_WORDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "True or False"}


def check(
    namespace: Mapping[str, Any],
    *,
    between: Mapping[str, tuple[float, float]] | None = None,
    one_of: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Check the parameters of a notebook; call it as `check(globals())` right after the parameters cell.

    `None` is allowed for every parameter and means "let the notebook choose".

    Args:
        namespace: the notebook's globals.
        between: parameter -> smallest and largest allowed value, both included.
        one_of: parameter -> the allowed words.

    Raises:
        ParameterError: an injected parameter is unknown (the closest known one is suggested), a value has the
            wrong type (the right one is named) or lies outside its range.
    """
    declared = _declared(namespace)
    for name in _injected(namespace):
        if name not in declared:
            raise ParameterError(f"unknown parameter {name!r}{did_you_mean(name, declared)}")
    for name, kind in declared.items():
        _check_type(name, kind, namespace.get(name))
    for name, (low, high) in (between or {}).items():
        value = namespace.get(name)
        if value is not None and not low <= value <= high:
            raise ParameterError(f"{name} must lie between {low} and {high}, got {value!r}")
    for name, words in (one_of or {}).items():
        value = namespace.get(name)
        if value is not None and value not in words:
            raise ParameterError(f"unknown value for {name}: {value!r}{did_you_mean(str(value), words)}")


def parse(name: str, kind: str, text: str) -> int | float | str | bool | None:
    """Read a value from the command line as the type that the notebook declares for it; "None" is None in every type.

    Args:
        name: the parameter, for the message.
        kind: "int", "float", "str" or "bool".
        text: the value as typed.

    Raises:
        ParameterError: the text is no value of this type, or the type is none of the four.
    """
    if kind not in _TYPES:
        raise ParameterError(f"{name} is declared as {kind!r}; a parameter's type is one of {', '.join(_TYPES)}")
    if text == "None":
        return None
    try:
        return _READERS[kind](text)
    except (KeyError, ValueError):
        raise ParameterError(f"{name} must be {_WORDS[kind]} ({kind}), got {text!r}") from None


def _declared(namespace: Mapping[str, Any]) -> dict[str, str]:
    """Return parameter -> type name, from the annotations of the parameters cell."""
    kinds = {
        name: kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
        for name, kind in namespace.get("__annotations__", {}).items()
    }
    unknown = {name for name, kind in kinds.items() if kind not in _TYPES}
    if unknown or not kinds:
        raise ParameterError(
            "the parameters cell must declare every parameter as `name: type = value`, "
            f"with a type out of {', '.join(_TYPES)}; at fault: {', '.join(sorted(unknown)) or 'no declaration'}."
        )
    return kinds


def _injected(namespace: Mapping[str, Any]) -> list[str]:
    """Return the names that papermill's injected cell assigns (none when a person runs the notebook)."""
    for source in reversed(list(namespace.get("In", []))):
        if source.lstrip().startswith(_INJECTED):
            targets = [t for s in ast.parse(source).body if isinstance(s, ast.Assign) for t in s.targets]
            return [t.id for t in targets if isinstance(t, ast.Name)]
    return []


def _check_type(name: str, kind: str, value: object) -> None:
    right = isinstance(value, _TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))
    if value is not None and not right:
        raise ParameterError(f"{name} must be {_WORDS[kind]} ({kind}), got {value!r} ({type(value).__name__})")
