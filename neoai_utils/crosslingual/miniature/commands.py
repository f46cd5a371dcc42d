"""Spoken commands to a smart home, in English and Russian, with intents and slots, from Home Assistant's templates.

The package home-assistant-intents 2026.10.27 (Apache-2.0) holds templates of the same intents in many languages. Those
with the same intent and the same kinds of slots form a block. An English and a Russian sentence of one block, drawn
with the same values, have the same meaning: sentence pairs without machine translation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neoai_utils.crosslingual.miniature.household import VALUES
from neoai_utils.crosslingual.miniature.templates import draw, list_names
from neoai_utils.crosslingual.tags import valid_tags
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import DataError

__all__ = ["Block", "Commands", "Language", "read"]

Language = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = ("en", "ru")


@dataclass(frozen=True)
class Block:
    """Templates of the same meaning.

    Attributes:
        intent: of all of them.
        templates: language -> templates.
        lists: the lists of values that a template of either language may name.
    """

    intent: str
    templates: Mapping[Language, tuple[str, ...]]
    lists: tuple[str, ...]


@dataclass(frozen=True)
class Commands:
    """All blocks, and the rules and values that their templates name.

    Attributes:
        blocks: sorted by intent.
        rules: language -> rule -> template.
        values: language -> list -> value's key -> template. The same key has the same meaning in both languages.
    """

    blocks: tuple[Block, ...]
    rules: Mapping[Language, Mapping[str, str]]
    values: Mapping[Language, Mapping[str, Mapping[str, str]]]

    def keys(self, name: str) -> tuple[str, ...]:
        """Return the keys of a list that have a value in both languages, in English order."""
        russian = self.values["ru"].get(name, {})
        return tuple(key for key in self.values["en"].get(name, {}) if key in russian)

    def draw(
        self,
        block: Block,
        language: Language,
        keys: Mapping[str, str],
        rng: np.random.Generator,
        templates: Sequence[int] | None = None,
    ) -> Utterance:
        """Draw a sentence.

        Args:
            block: its templates.
            language: of the sentence.
            keys: list -> key of the value to name.
            rng: chooses the template and its variants.
            templates: indices of the templates that may be used; None: all.
        """
        options = block.templates[language]
        index = int(rng.integers(len(options))) if templates is None else int(rng.choice(templates))
        values = {name: (self.values[language][name][key],) for name, key in keys.items()}
        words, tags = draw(options[index], self.rules[language], values, rng)
        return Utterance(words, block.intent, valid_tags(tags))


def read(folder: Path) -> Commands:
    """Read the templates of a folder with `en.json` and `ru.json`.

    Blocks of only one language are left out, and blocks that name a list without a value in both languages.

    Raises:
        DataError: a file is missing or is not of the package's form.
    """
    contents = {language: _content(folder / f"{language}.json") for language in LANGUAGES}
    rules = {language: content["expansion_rules"] for language, content in contents.items()}
    values = {language: _values(content["lists"], side) for side, (language, content) in enumerate(contents.items())}
    grouped = {language: _grouped(content["intents"]) for language, content in contents.items()}
    without_blocks = Commands((), rules, values)
    blocks = []
    for key in sorted(grouped["en"].keys() & grouped["ru"].keys()):
        templates = {language: tuple(grouped[language][key]) for language in LANGUAGES}
        names = {name for language in LANGUAGES for t in templates[language] for name in list_names(t, rules[language])}
        if all(without_blocks.keys(name) for name in names):
            blocks.append(Block(key[0], templates, tuple(sorted(names))))
    return Commands(tuple(blocks), rules, values)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not {"intents", "lists", "expansion_rules"} <= set(content):
            raise DataError(f"{path} lacks intents, lists or expansion_rules: it is not of home-assistant-intents.")
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read as Home Assistant's templates: {error}.") from error
    return dict(content)


def _grouped(intents: Mapping[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """Return (intent, kinds of slots, fixed slots) -> templates."""
    templates: dict[tuple[str, ...], list[str]] = {}
    for intent, content in intents.items():
        for block in content["data"]:
            kinds = block.get("metadata", {}).get("slot_combination", "")
            key = (intent, kinds, json.dumps(block.get("slots", {}), sort_keys=True))
            templates.setdefault(key, []).extend(block["sentences"])
    return templates


def _values(lists: Mapping[str, Any], side: int) -> dict[str, dict[str, str]]:
    """Return list -> key -> template: the package's lists, and the household's where it has none."""
    values: dict[str, dict[str, str]] = {}
    for name, content in lists.items():
        if "values" in content:
            for value in content["values"]:
                text, key = (value, value) if isinstance(value, str) else (value["in"], str(value["out"]))
                values.setdefault(name, {}).setdefault(key, text)
        elif "range" in content:
            span = content["range"]
            numbers = range(span["from"], span["to"] + 1, max(1, span.get("step", 1)))
            values[name] = {str(number): str(number) for number in numbers}
    household = {name: {str(i): pair[side] for i, pair in enumerate(pairs)} for name, pairs in VALUES.items()}
    return values | household
