"""Sentence pairs from JSON lines with unknown field names.

Fields that name a language are used first. Otherwise two fields that belong together (`source` and `target`), or else
all texts of the line, are distinguished by their script: the most Cyrillic one is the Russian sentence, the longest
Latin one the English.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from neoai_utils import errors
from neoai_utils.reading import read_text
from neoai_utils.tables import LOST_CHARACTERS

__all__ = ["Pair", "read_pairs"]

Pair = tuple[str, str]

_CYRILLIC, _LATIN = re.compile(r"[Ѐ-ӿ]"), re.compile(r"[A-Za-z]")
_WORD_OF_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_RUSSIAN = frozenset(("ru", "rus", "russian"))
_ENGLISH = frozenset(("en", "eng", "english"))
_COUPLES = (
    ("source", "target"), ("src", "tgt"), ("src", "trg"), ("original", "translation"), ("text", "translation"),
    ("input", "output"), ("sentence1", "sentence2"), ("premise", "hypothesis"),
)  # fmt: skip
_TEXT = frozenset(("utt", "utterance", "text", "sentence", "query", "phrase", "translation", "content"))
_NO_SENTENCE = frozenset((
    "id", "intent", "slot", "slots", "annot", "annotated", "locale", "lang", "language", "domain", "scenario", "tags",
    "partition", "split", "worker", "license", "corpus", "dataset", "source", "origin", "url", "score",
))  # fmt: skip


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Return the (Russian, English) pairs of a file of JSON lines (or one JSON list, or lines of two columns).

    Lines that hold no pair are left out, with one warning for all; so is a whole file that is missing or empty.

    Raises:
        DataError: the file is no text.
    """
    if not path.exists():
        errors.warn(f"{path} does not exist; going on without sentence pairs.")
        return ()
    pairs, unreadable = [], []
    for number, content in _records(read_text(path)):
        pair = _pair(content)
        if pair is None:
            unreadable.append((number, content))
        else:
            pairs.append(pair)
    if unreadable:
        number, content = unreadable[0]
        fields = ", ".join(map(str, content)) if isinstance(content, dict) else repr(content)[:60]
        errors.warn(
            f"{path}, line {number}: no Russian and English text can be told apart in {fields or 'it'}; "
            f"such lines are left out ({len(unreadable)} of {len(unreadable) + len(pairs)})."
        )
    if not pairs:
        errors.warn(f"{path} holds no pair; going on without sentence pairs.")
    return tuple(pairs)


def _records(text: str) -> Iterator[tuple[int, Any]]:
    """Yield (line number, content) of each line that is not empty; a line that is no JSON is split at tabs."""
    whole = _json(text) if text.lstrip().startswith("[") else text
    if isinstance(whole, list) and any(isinstance(part, list | dict) for part in whole):
        yield from enumerate(whole, start=1)
        return
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if line.strip():
            content = _json(line)
            yield number, content.split("\t") if content is line else content


def _json(text: str) -> Any:
    """Return the content of a JSON text, or the text itself if it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _pair(content: Any) -> Pair | None:
    pair = _by_language(content) or _by_couple(content)
    if pair is None:
        texts = list(_texts(content))
        russian = max(texts, key=_cyrillic, default="")
        latin = [text for text in texts if _LATIN.search(text) and _cyrillic(text) < _cyrillic(russian)]
        pair = russian, max(latin, key=len, default="")  # an identifier is shorter than a sentence
    russian, english = (" ".join(LOST_CHARACTERS.sub(" ", text).split()) for text in pair)
    if _cyrillic(russian) < _cyrillic(english):
        russian, english = english, russian  # the fields' names were swapped
    return (russian, english) if russian and english else None


def _by_language(content: Any) -> Pair | None:
    """Return the texts of the fields that name both languages, at this level or below."""
    if not isinstance(content, dict):
        return None
    russian, english = _side(content, _RUSSIAN), _side(content, _ENGLISH)
    if russian and english:
        return russian, english
    return next((pair for pair in map(_by_language, content.values()) if pair), None)


def _side(content: Mapping[str, Any], language: frozenset[str]) -> str:
    """Return the text of a language: of several fields that name it, one whose name also means a text."""
    fields = [(_words_of(name), value) for name, value in content.items()]
    fields = [(words, value) for words, value in fields if words & language and not words & _NO_SENTENCE]
    fields.sort(key=lambda field: not field[0] & _TEXT)
    return next((text for _, value in fields if (text := _text(value))), "")


def _text(value: Any) -> str:
    """Return a text, the joined words of a list, or the field of an object whose name means a text."""
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return " ".join(value)
    if isinstance(value, dict):
        named = [part for name, part in value.items() if _words_of(name) <= _TEXT]
        value = next((part for part in (*named, *_texts(value)) if isinstance(part, str)), "")
    return value if isinstance(value, str) else ""


def _by_couple(content: Any) -> Pair | None:
    """Return the texts of two fields that belong together, the more Cyrillic one first."""
    if not isinstance(content, dict):
        return None
    named = {name.lower().replace("_", "").removesuffix("text"): _text(value) for name, value in content.items()}
    for couple in _COUPLES:
        first, second = (named.get(name, "") for name in couple)
        if first and second and _cyrillic(first) != _cyrillic(second):
            return (first, second) if _cyrillic(first) > _cyrillic(second) else (second, first)
    return None


def _texts(content: Any) -> Iterator[str]:
    """Yield all texts of a JSON value, in order, without fields whose names mean something else."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for name, part in content.items():
            if not _words_of(name) & _NO_SENTENCE:
                yield from _texts(part)
    elif isinstance(content, list):
        for part in content:
            yield from _texts(part)


def _words_of(name: str) -> set[str]:
    return {word.lower() for word in _WORD_OF_NAME.findall(name)}


def _cyrillic(text: str) -> float:
    """Return the share of a text's letters that are Cyrillic; a Russian sentence may contain a Latin name."""
    cyrillic, latin = len(_CYRILLIC.findall(text)), len(_LATIN.findall(text))
    return cyrillic / max(1, cyrillic + latin)
