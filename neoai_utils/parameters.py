"""The guard behind each notebook's parameters cell, and the one reader of values from a command line.

papermill only logs a warning for a parameter that the notebook does not declare, and `-p threshold high` assigns the
text "high" silently. The guard runs in the cell after the parameters and turns both into errors, so that even the bare
papermill command fails before any work is done. (nanoGPT's `configurator.py` refuses unknown keys in the same way.)

A parameters cell declares each parameter with its type: `threshold: float = None  # help`. The declarations are read
from the source of the cell, which IPython keeps in its history of inputs (`In`). Without a history they are read from
`__annotations__`, where Python up to 3.13 keeps them, and then from `__annotate__` (PEP 649, Python 3.14). The values
that papermill injects stand in a cell of their own, which begins with `# Parameters`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

from neoai_utils.errors import ParameterError, did_you_mean

__all__ = ["check", "declarations", "parse", "read_values"]

_INJECTED = "# Parameters"
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,)}
_WORDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "True or False"}


def _whole(text: str) -> int:
    """Read "500", and "5e2" or "500.0" too."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


_READERS: dict[str, Callable[[str], int | float | str | bool]] = {
    "int": _whole,
    "float": float,
    "str": str,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
}


def check(
    namespace: MutableMapping[str, Any],
    *,
    between: Mapping[str, tuple[float, float]] | None = None,
    one_of: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Check the parameters of a notebook; call it as `check(globals())` right after the parameters cell.

    `None` is allowed for every parameter and means its default, which may be `None` itself: "let the notebook choose".
    A text that can be read as the declared type is replaced by its value: YAML, for example, reads `1e-3` as a text.

    Args:
        namespace: the notebook's globals.
        between: parameter -> smallest and largest allowed value, both included.
        one_of: parameter -> the allowed words.

    Raises:
        ParameterError: an injected parameter is not declared (the message suggests the closest one), its value did not
            reach the notebook, a value has the wrong type (the message names the right one) or is out of range.
    """
    declared, defaults = _declared(namespace), _defaults(namespace)
    injected = _injected(namespace)
    for name in injected:
        if name not in declared:
            raise ParameterError(f"unknown parameter {name!r}{did_you_mean(name, declared)}")
    for name, kind in declared.items():
        namespace[name] = _checked(name, kind, namespace.get(name), defaults)
    for name, value in injected.items():
        if value is not _UNREADABLE and not _same(_checked(name, declared[name], value, defaults), namespace[name]):
            raise ParameterError(
                f"{name} was given as {value!r} but is {namespace[name]!r}: a later cell has overwritten it. Most "
                "often the parameters cell has lost its tag, so that papermill puts the given values above it. Give "
                "that cell the tag `parameters` again."
            )
    for name, (low, high) in (between or {}).items():
        value = namespace.get(name)
        if value is not None and not low <= value <= high:
            raise ParameterError(f"{name} must lie between {low} and {high}, got {value!r}")
    for name, words in (one_of or {}).items():
        value = namespace.get(name)
        if value is not None and value not in words:
            raise ParameterError(f"unknown value for {name}: {value!r}{did_you_mean(str(value), words)}")


def declarations(source: str) -> dict[str, str]:
    """Return parameter -> type name of a cell that only declares, `name: type = value`; {} for any other cell.

    papermill's own reader is not used, because it skips a line whose help holds an equals sign.
    """
    return {ast.unparse(line.target): _type_name(line.annotation) for line in _declaring_lines(source)}


def read_values(source: str, texts: Mapping[str, Sequence[str]]) -> dict[str, list[object]]:
    """Read values from the command line as the types that a parameters cell declares.

    Args:
        source: the source of the parameters cell.
        texts: parameter -> its values as typed.

    Returns:
        Parameter -> its values.

    Raises:
        ParameterError: the cell declares no parameter of that name (the message suggests the closest one), or a value
            is not of the declared type.
    """
    declared = declarations(source)
    for name in texts:
        if name not in declared:
            raise ParameterError(f"unknown parameter {name!r}{did_you_mean(name, declared)}")
    return {name: [parse(name, declared[name], text) for text in words] for name, words in texts.items()}


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
    except (KeyError, ValueError, OverflowError):
        raise ParameterError(f"{name} must be {_WORDS[kind]} ({kind}), got {text!r} (str)") from None


def _declaring_lines(source: str) -> list[ast.AnnAssign]:
    """Return the statements of a cell that only declares; [] for any other cell."""
    try:
        lines = ast.parse(source).body
    except SyntaxError:  # a magic command
        return []
    declaring = [line for line in lines if isinstance(line, ast.AnnAssign)]
    return declaring if len(declaring) == len(lines) else []


def _type_name(annotation: ast.expr) -> str:
    """Return the name of a type, also of one that is written as text."""
    return str(annotation.value) if isinstance(annotation, ast.Constant) else ast.unparse(annotation)


def _declared(namespace: Mapping[str, Any]) -> dict[str, str]:
    """Return parameter -> type name, from the source of the parameters cell or from the namespace's annotations."""
    kinds = declarations(_parameters_cell(namespace)) or {
        name: kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
        for name, kind in _annotations(namespace).items()
    }
    wrong = {name for name, kind in kinds.items() if kind not in _TYPES}
    if wrong or not kinds:
        raise ParameterError(
            "the parameters cell must declare every parameter as `name: type = value`, "
            f"with a type out of {', '.join(_TYPES)}; at fault: {', '.join(sorted(wrong)) or 'no declaration'}."
        )
    return kinds


def _defaults(namespace: Mapping[str, Any]) -> dict[str, object]:
    """Return parameter -> default, as far as the history holds the source of the parameters cell."""
    lines = _declaring_lines(_parameters_cell(namespace))
    values = {ast.unparse(line.target): _literal(line.value) for line in lines if line.value}
    return {name: value for name, value in values.items() if value is not _UNREADABLE}


def _parameters_cell(namespace: Mapping[str, Any]) -> str:
    """Return the source of the newest cell that only declares; "" where there is none."""
    return next(filter(declarations, reversed(_history(namespace))), "")


def _history(namespace: Mapping[str, Any]) -> list[str]:
    """Return the sources of the cells that have run, oldest first; empty outside IPython."""
    return list(namespace.get("In", []))


def _annotations(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the annotations of a namespace: a dictionary up to Python 3.13, from 3.14 on a function (PEP 649)."""
    if "__annotations__" in namespace:
        annotations: Mapping[str, Any] = namespace["__annotations__"]
        return annotations
    annotate = namespace.get("__annotate__")
    values: Mapping[str, Any] = annotate(1) if annotate else {}  # 1: annotationlib.Format.VALUE
    return values


_UNREADABLE = object()  # stands for a value that is no literal, such as float('nan')


def _injected(namespace: Mapping[str, Any]) -> dict[str, object]:
    """Return name -> value of the assignments in papermill's injected cell; {} when a person runs the notebook.

    It is {} as well where a person has run the parameters cell again after the injected one.
    """
    history = _history(namespace)
    newest = next((i for i in reversed(range(len(history))) if history[i].lstrip().startswith(_INJECTED)), None)
    if newest is None:
        return {}
    before, after = history[:newest], history[newest + 1 :]
    if any(map(declarations, before)) and any(map(declarations, after)):
        return {}
    lines = [line for line in ast.parse(history[newest]).body if isinstance(line, ast.Assign)]
    return {
        target.id: _literal(line.value) for line in lines for target in line.targets if isinstance(target, ast.Name)
    }


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return _UNREADABLE


def _same(given: object, actual: object) -> bool:
    return type(given) is type(actual) and given == actual


def _checked(name: str, kind: str, value: object, defaults: Mapping[str, object]) -> object:
    """Return the value, or the value that a text spells, as the declared type; the default for None."""
    if value is None or value == "None":
        return defaults.get(name)
    if isinstance(value, _TYPES[kind]) and (kind == "bool" or not isinstance(value, bool)):
        return value
    if isinstance(value, str):
        return parse(name, kind, value)
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    hint = f"; papermill guesses types: for text write -r {name} TEXT, and quotes in YAML" if kind == "str" else ""
    raise ParameterError(f"{name} must be {_WORDS[kind]} ({kind}), got {value!r} ({type(value).__name__}){hint}")
