"""The miniature of "Intent Detection and Slot Filling": commands to a smart home, learnt in English, heard in Russian.

What is as in the original: the five files and their form, intents and slots, English labels only for training, Russian
ones to measure with, a few sentence pairs, more unlabelled Russian, an encoder that has read both languages but knows
nothing of the task. Like the original's, the encoder is weak without help: the first layers of multilingual-e5-small.

Sentences are drawn from Home Assistant's templates. The Russian templates of validation and test occur nowhere else;
English training names only some of the rooms, goods and devices; the pairs name others and speak of some wishes only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neoai_utils.crosslingual import conll
from neoai_utils.crosslingual.conll import Utterance, labels_of
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.files import PAIRS, REQUIRED, TEXTS, metrics
from neoai_utils.crosslingual.miniature import commands
from neoai_utils.crosslingual.miniature.commands import Block, Commands, Language
from neoai_utils.crosslingual.miniature.vocabulary import pruned
from neoai_utils.crosslingual.prediction import labelled, predict
from neoai_utils.crosslingual.training import Part, Plan, fine_tune
from neoai_utils.errors import DataError
from neoai_utils.offline import fetch, load_e5_small

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["ENCODER", "Recipe", "Splits", "build", "draw_splits", "oracle"]

ENCODER = "encoder"
"""Name of the folder with the base model, beside the competition's files."""
_ATTEMPTS = 1000  # draws in a row without a new sentence, after which the templates are taken to be exhausted

Keys = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        train: English utterances; with validation, test, pairs and texts the sizes of the files.
        hidden_templates: share of a block's Russian templates that only validation and test use.
        paired_blocks: share of the blocks that the pairs speak of.
        english_values: share of each list's values that English training names.
        paired_values: share that the pairs name.
        layers: of the encoder.
        steps: of the oracle's training; `rate` its highest learning rate.
    """

    seed: int = 0
    version: int = 2
    train: int = 3000
    validation: int = 300
    test: int = 1000
    pairs: int = 500
    texts: int = 2000
    hidden_templates: float = 0.4
    paired_blocks: float = 0.6
    english_values: float = 0.6
    paired_values: float = 0.6
    layers: int = 2
    steps: int = 250
    rate: float = 1e-3


@dataclass(frozen=True)
class Splits:
    """The sentences of all files, labelled.

    Attributes:
        train: English.
        validation: Russian, like `test` and `texts`.
        pairs: (Russian, English) utterances that mean the same.
    """

    train: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]
    pairs: tuple[tuple[Utterance, Utterance], ...]
    texts: tuple[Utterance, ...]


def draw_splits(recipe: Recipe, source: Commands) -> Splits:
    """Draw the sentences of all files; none occurs twice, none of the hidden ones among the visible ones."""
    random = np.random.default_rng(recipe.seed)
    hidden = [_some(random, len(block.templates["ru"]), recipe.hidden_templates) for block in source.blocks]
    visible = [sorted(set(range(len(b.templates["ru"]))) - set(h)) for b, h in zip(source.blocks, hidden, strict=True)]
    names = sorted({name for block in source.blocks for name in block.lists})
    keys = {name: source.keys(name) for name in names}
    english = {name: _part(random, keys[name], recipe.english_values) for name in names}
    paired = {name: _part(random, keys[name], recipe.paired_values) for name in names}
    everything = range(len(source.blocks))
    told = [place for place in everything if visible[place]]
    told_pairs = [place for place in told if random.random() < recipe.paired_blocks]

    def say(place: int, language: Language, allowed: Keys, templates: Sequence[int] | None) -> Utterance:
        block = source.blocks[place]
        return source.say(block, language, _choice(block, allowed, random), random, templates)

    used: set[tuple[str, ...]] = set()
    asked = [place for place in everything if hidden[place]]
    tested = _distinct(
        recipe.validation + recipe.test, asked, lambda place: say(place, "ru", keys, hidden[place]), used, random
    )
    texts = _distinct(recipe.texts, told, lambda place: say(place, "ru", keys, visible[place]), used, random)
    train = _distinct(recipe.train, everything, lambda place: say(place, "en", english, None), used, random)
    pairs = [_pair(source, int(random.choice(told_pairs)), visible, paired, random) for _ in range(recipe.pairs)]
    return Splits(train, tested[: recipe.validation], tested[recipe.validation :], tuple(pairs), texts)


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write the competition's files and the encoder into `data_dir` and the labelled test into `answers_dir`.

    Returns:
        `ceiling`: the score of the same encoder when the unlabelled Russian texts come with their true labels;
        `pieces`: the size of the encoder's vocabulary.
    """
    splits = draw_splits(recipe, commands.read(fetch("home-assistant-intents")))
    _write(splits, data_dir, answers_dir)
    model, tokenizer = load_e5_small()
    said = (*splits.train, *splits.validation, *splits.test, *splits.texts, *chain.from_iterable(splits.pairs))
    encoder, pieces = pruned(model, tokenizer, (_text(utterance) for utterance in said), recipe.layers)
    encoder.save_pretrained(data_dir / ENCODER)
    pieces.save_pretrained(data_dir / ENCODER)
    return {"ceiling": oracle(splits, encoder, pieces, recipe), "pieces": float(len(pieces))}


def oracle(splits: Splits, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> float:
    """Return the test score after training a copy of the encoder on English and on the Russian texts' true labels."""
    collate = Collator(tokenizer, labels_of(splits.train))
    parts = [Part(splits.train), Part(splits.texts)]
    model = fine_tune(encoder, collate, parts, Plan(recipe.steps, rate=recipe.rate), recipe.seed)
    found = labelled(splits.test, predict(model, collate, splits.test), collate.labels)
    return metrics(splits.test, [u.intent or "" for u in found], [u.slots or () for u in found])["mean"]


def _write(splits: Splits, data_dir: Path, answers_dir: Path) -> None:
    train, validation, test = REQUIRED
    conll.write(splits.train, data_dir / train)
    conll.write(splits.validation, data_dir / validation)
    conll.write((Utterance(utterance.words) for utterance in splits.test), data_dir / test)
    conll.write(splits.test, answers_dir / test)
    said = ({"ru": _text(russian), "en": _text(english)} for russian, english in splits.pairs)
    lines = [json.dumps(pair, ensure_ascii=False) for pair in said]
    (data_dir / PAIRS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (data_dir / TEXTS).write_text("\n".join(map(_text, splits.texts)) + "\n", encoding="utf-8")


def _text(utterance: Utterance) -> str:
    return " ".join(utterance.words)


def _some(random: np.random.Generator, count: int, share: float) -> list[int]:
    """Return about `share` of the numbers below `count`: of a single one it or nothing, of more not all."""
    if count == 1:
        return [0] if random.random() < share else []
    chosen = random.permutation(count)[: min(count - 1, max(1, round(count * share)))]
    return sorted(chosen.tolist())


def _part(random: np.random.Generator, keys: tuple[str, ...], share: float) -> tuple[str, ...]:
    chosen = random.permutation(len(keys))[: max(1, round(len(keys) * share))]
    return tuple(keys[place] for place in sorted(chosen.tolist()))


def _choice(block: Block, allowed: Keys, random: np.random.Generator) -> dict[str, str]:
    return {name: allowed[name][int(random.integers(len(allowed[name])))] for name in block.lists}


def _pair(
    source: Commands, place: int, visible: Sequence[Sequence[int]], allowed: Keys, random: np.random.Generator
) -> tuple[Utterance, Utterance]:
    block = source.blocks[place]
    choice = _choice(block, allowed, random)
    return source.say(block, "ru", choice, random, visible[place]), source.say(block, "en", choice, random)


def _distinct(
    count: int,
    places: Sequence[int],
    say: Callable[[int], Utterance],
    used: set[tuple[str, ...]],
    random: np.random.Generator,
) -> tuple[Utterance, ...]:
    """Draw utterances of random blocks that are not among the `used` ones, and add them there."""
    found: list[Utterance] = []
    misses = 0
    while len(found) < count:
        utterance = say(int(random.choice(places)))
        misses = misses + 1 if utterance.words in used else 0
        if misses > _ATTEMPTS:
            raise DataError(f"the templates do not hold {count} different sentences, only {len(found)}.")
        if not misses:
            used.add(utterance.words)
            found.append(utterance)
    return tuple(found)
