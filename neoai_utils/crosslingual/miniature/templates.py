"""Sentences drawn from templates such as `(turn|switch) on [the] {area} lights`, with a slot tag for each word.

The notation is that of Home Assistant's intents: `(a|b)` one of, `[a]` perhaps, `(a;b)` in any order, `<rule>` another
template, `{list}` or `{list:slot}` a value of a slot. hassil, Home Assistant's own library, parses it; here a sentence
is drawn at random and the words that came out of a slot are tagged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from neoai_utils.crosslingual.conll import OUTSIDE
from neoai_utils.errors import DataError

if TYPE_CHECKING:
    from hassil.expression import Sentence

__all__ = ["draw", "slots_of"]

Chunk = tuple[str, str | None]
Tagged = tuple[tuple[str, ...], tuple[str, ...]]


def draw(
    template: str, rules: Mapping[str, str], values: Mapping[str, Sequence[str]], random: np.random.Generator
) -> Tagged:
    """Draw one sentence.

    Args:
        template: in Home Assistant's notation.
        rules: name -> template, for `<name>`.
        values: list -> its values, templates themselves, for `{list}`.
        random: every choice in the template is equally likely.

    Returns:
        The words, and their tags: `O`, `B-slot` for the first word of a value, `I-slot` for the others.

    Raises:
        DataError: the template cannot be parsed, or names a rule or list that is not given.
    """
    return _tagged(_chunks(_parsed(template).expression, rules, values, random))


def slots_of(template: str, rules: Mapping[str, str]) -> frozenset[str]:
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
    expression: Any, rules: Mapping[str, str], values: Mapping[str, Sequence[str]], random: np.random.Generator
) -> list[Chunk]:
    """Return pieces of text in order, each with the slot that it came out of."""
    from hassil import expression as kinds

    if isinstance(expression, kinds.TextChunk):
        return [(expression.original_text, None)]
    if isinstance(expression, kinds.ListReference):
        value = _picked(values, expression.list_name, "list", random)
        inside = _chunks(_parsed(value).expression, rules, values, random)
        text = "".join(piece for piece, _ in inside)
        return [(expression.prefix or "", None), (text, expression.slot_name), (expression.suffix or "", None)]
    if isinstance(expression, kinds.RuleReference):
        rule = _picked({name: (text,) for name, text in rules.items()}, expression.rule_name, "rule", random)
        return _chunks(_parsed(rule).expression, rules, values, random)
    items = expression.items
    if isinstance(expression, kinds.Alternative):
        items = [items[random.integers(len(items))]]
    elif isinstance(expression, kinds.Permutation):
        items = [items[place] for place in random.permutation(len(items))]
    return [chunk for item in items for chunk in _chunks(item, rules, values, random)]


def _picked(options: Mapping[str, Sequence[str]], name: str, kind: str, random: np.random.Generator) -> str:
    if not options.get(name):
        raise DataError(f"a template names the {kind} {name!r}, which is not given or empty.")
    return options[name][int(random.integers(len(options[name])))]


def _tagged(chunks: Sequence[Chunk]) -> Tagged:
    """Split the text into words; a word belongs to the slot in which any of its characters lies."""
    text = "".join(piece for piece, _ in chunks)
    owners = [(number, slot) for number, (piece, slot) in enumerate(chunks) for _ in piece]
    words, tags, last, start = [], [], None, 0
    for word in text.split():
        start = text.index(word, start)
        owner = next((owner for owner in owners[start : start + len(word)] if owner[1]), None)
        words.append(word)
        tags.append(OUTSIDE if owner is None else f"{'I' if owner == last else 'B'}-{owner[1]}")
        last, start = owner, start + len(word)
    return tuple(words), tuple(tags)
