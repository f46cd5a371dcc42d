"""Sentences drawn from templates such as `(turn|switch) on [the] {area} lights`, with a slot tag for each word.

The notation is that of Home Assistant's intents: `(a|b)` one of, `[a]` optional, `(a;b)` in any order, `<rule>` another
template, `{list}` or `{list:slot}` a value of a slot. hassil, Home Assistant's library, parses it; this module draws a
sentence at random and tags the words of slot values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from neoai_utils.crosslingual.tags import OUTSIDE
from neoai_utils.errors import DataError

if TYPE_CHECKING:
    from hassil.expression import Sentence

__all__ = ["draw", "list_names"]

Chunk = tuple[str, str | None]
Tagged = tuple[tuple[str, ...], tuple[str, ...]]


def draw(
    template: str, rules: Mapping[str, str], values: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> Tagged:
    """Draw one sentence.

    Args:
        template: in Home Assistant's notation.
        rules: name -> template, for `<name>`.
        values: list -> its values, templates themselves, for `{list}`.
        rng: chooses between the template's variants, all of equal probability.

    Returns:
        The words, and their tags: `O`, `B-slot` for the first word of a value, `I-slot` for the others.

    Raises:
        DataError: the template cannot be parsed, or names a rule or list that is not given.
    """
    return _tagged(_chunks(_parsed(template).expression, rules, values, rng))


def list_names(template: str, rules: Mapping[str, str]) -> frozenset[str]:
    """Return the names of the lists that a template may draw values from, its rules' lists included.

    Raises:
        DataError: the template cannot be parsed.
    """
    parsed = {name: _parsed(rule) for name, rule in rules.items()}
    return frozenset(_parsed(template).list_names(parsed))


@cache
def _parsed(template: str) -> Sentence:
    from hassil.parse_expression import parse_sentence
    from hassil.parser import ParseError

    try:
        return parse_sentence(template)
    except ParseError as error:
        raise DataError(f"the template {template!r} cannot be parsed: {error}") from error


def _chunks(
    expression: Any, rules: Mapping[str, str], values: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> list[Chunk]:
    """Return parts of the text in order, each with its slot, None outside slots."""
    from hassil import expression as kinds

    if isinstance(expression, kinds.TextChunk):
        return [(expression.original_text, None)]
    if isinstance(expression, kinds.ListReference):
        value = _picked(values, expression.list_name, "list", rng)
        inside = _chunks(_parsed(value).expression, rules, values, rng)
        text = "".join(part for part, _ in inside)
        return [(expression.prefix or "", None), (text, expression.slot_name), (expression.suffix or "", None)]
    if isinstance(expression, kinds.RuleReference):
        rule = _picked({name: (text,) for name, text in rules.items()}, expression.rule_name, "rule", rng)
        return _chunks(_parsed(rule).expression, rules, values, rng)
    items = expression.items
    if isinstance(expression, kinds.Alternative):
        items = [items[rng.integers(len(items))]]
    elif isinstance(expression, kinds.Permutation):
        items = [items[index] for index in rng.permutation(len(items))]
    return [chunk for item in items for chunk in _chunks(item, rules, values, rng)]


def _picked(options: Mapping[str, Sequence[str]], name: str, kind: str, rng: np.random.Generator) -> str:
    if not options.get(name):
        raise DataError(f"a template names the {kind} {name!r}, which is not given or empty.")
    return options[name][int(rng.integers(len(options[name])))]


def _tagged(chunks: Sequence[Chunk]) -> Tagged:
    """Split the text into words; a word belongs to the slot of any of its characters."""
    text = "".join(part for part, _ in chunks)
    owners = [(number, slot) for number, (part, slot) in enumerate(chunks) for _ in part]
    words, tags, last, start = [], [], None, 0
    for word in text.split():
        start = text.index(word, start)
        owner = next((owner for owner in owners[start : start + len(word)] if owner[1]), None)
        words.append(word)
        tags.append(OUTSIDE if owner is None else f"{'I' if owner == last else 'B'}-{owner[1]}")
        last, start = owner, start + len(word)
    return tuple(words), tuple(tags)
