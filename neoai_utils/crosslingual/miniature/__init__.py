"""The miniature of "Intent Detection and Slot Filling": commands to a smart home in English and Russian.

As in the original: the five files and their form, intents and slots, English labels only for training, Russian ones for
validation, a few sentence pairs, more unlabelled Russian, an encoder pretrained on both languages but not on the task.
Like the original's, the encoder is weak without further data: the first layers of multilingual-e5-small.

Sentences are drawn from Home Assistant's templates. The Russian templates of validation and test occur nowhere else;
English training names only some of the rooms, goods and devices; the pairs name others and have some intents only.

`commands` reads the templates, `templates` draws sentences, `household` holds values, `vocabulary` prunes the encoder.
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
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.files import PAIRS, REQUIRED, TEXTS
from neoai_utils.crosslingual.metric import grade
from neoai_utils.crosslingual.miniature import commands
from neoai_utils.crosslingual.miniature.commands import Block, Commands, Language
from neoai_utils.crosslingual.miniature.vocabulary import pruned
from neoai_utils.crosslingual.prediction import labelled, predict
from neoai_utils.crosslingual.training import TrainingPlan, UtteranceSource, fine_tune
from neoai_utils.crosslingual.utterances import Utterance, labels_of
from neoai_utils.errors import DataError
from neoai_utils.offline import fetch, load_e5_small

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["ENCODER", "Recipe", "Splits", "build", "draw_splits"]

ENCODER = "encoder"
"""Name of the folder with the base model, beside the competition's files."""
_ATTEMPTS = 1000  # draws in a row without a new sentence, after which the templates count as exhausted

Keys = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Recipe:
    """The constants of the miniature.

    Attributes:
        seed: of the sentences and the oracle's training.
        version: of the code; a change rebuilds cached miniatures.
        train: number of English training utterances.
        validation: number of Russian validation utterances.
        test: number of Russian test utterances.
        pairs: number of sentence pairs.
        texts: number of unlabelled Russian texts.
        hidden_templates: share of a block's Russian templates that only validation and test use.
        paired_blocks: share of the blocks from which pairs are drawn.
        english_values: share of each list's values that English training names.
        paired_values: share of each list's values that the pairs name.
        layers: of the encoder.
        steps: of the oracle's training.
        learning_rate: the highest of the oracle's training.
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
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class Splits:
    """The sentences of all files, labelled.

    Attributes:
        train: English.
        validation: Russian.
        test: Russian.
        pairs: (Russian, English) utterances of the same meaning.
        texts: Russian.
    """

    train: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]
    pairs: tuple[tuple[Utterance, Utterance], ...]
    texts: tuple[Utterance, ...]


def draw_splits(recipe: Recipe, source: Commands) -> Splits:
    """Draw the sentences of all files; none occurs twice, so no test sentence is in another file."""
    rng = np.random.default_rng(recipe.seed)
    hidden = [_some(rng, len(block.templates["ru"]), recipe.hidden_templates) for block in source.blocks]
    visible = [sorted(set(range(len(b.templates["ru"]))) - set(h)) for b, h in zip(source.blocks, hidden, strict=True)]
    names = sorted({name for block in source.blocks for name in block.lists})
    keys = {name: source.keys(name) for name in names}
    english = {name: _part(rng, keys[name], recipe.english_values) for name in names}
    paired = {name: _part(rng, keys[name], recipe.paired_values) for name in names}
    everything = range(len(source.blocks))
    shown = [index for index in everything if visible[index]]
    paired_blocks = [index for index in shown if rng.random() < recipe.paired_blocks]

    def draw(index: int, language: Language, allowed: Keys, templates: Sequence[int] | None) -> Utterance:
        block = source.blocks[index]
        return source.draw(block, language, _values_of(block, allowed, rng), rng, templates)

    used: set[tuple[str, ...]] = set()
    tested = [index for index in everything if hidden[index]]
    count = recipe.validation + recipe.test
    labelled_russian = _distinct(count, tested, lambda index: draw(index, "ru", keys, hidden[index]), used, rng)
    texts = _distinct(recipe.texts, shown, lambda index: draw(index, "ru", keys, visible[index]), used, rng)
    train = _distinct(recipe.train, everything, lambda index: draw(index, "en", english, None), used, rng)
    pairs = [_pair(source, int(rng.choice(paired_blocks)), visible, paired, rng) for _ in range(recipe.pairs)]
    validation, test = labelled_russian[: recipe.validation], labelled_russian[recipe.validation :]
    return Splits(train, validation, test, tuple(pairs), texts)


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write the competition's files and the encoder into `data_dir` and the labelled test into `answers_dir`.

    Returns:
        `ceiling`: the score of the same encoder, trained with the true labels of the unlabelled Russian texts;
        `tokens`: the size of the encoder's vocabulary.
    """
    splits = draw_splits(recipe, commands.read(fetch("home-assistant-intents")))
    _write(splits, data_dir, answers_dir)
    model, tokenizer = load_e5_small()
    utterances = (*splits.train, *splits.validation, *splits.test, *splits.texts, *chain.from_iterable(splits.pairs))
    encoder, tokenizer = pruned(model, tokenizer, map(_text, utterances), recipe.layers)
    encoder.save_pretrained(data_dir / ENCODER)
    tokenizer.save_pretrained(data_dir / ENCODER)
    return {"ceiling": _oracle(splits, encoder, tokenizer, recipe), "tokens": float(len(tokenizer))}


def _oracle(splits: Splits, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> float:
    """Return the test score of a copy of the encoder trained on English and on the Russian texts' true labels."""
    collate = Collator(tokenizer, labels_of(splits.train))
    sources = [UtteranceSource(splits.train), UtteranceSource(splits.texts)]
    plan = TrainingPlan(recipe.steps, learning_rate=recipe.learning_rate)
    model = fine_tune(encoder, collate, sources, plan, recipe.seed)
    return grade(labelled(splits.test, predict(model, collate, splits.test), collate.labels), splits.test).score


def _write(splits: Splits, data_dir: Path, answers_dir: Path) -> None:
    train, validation, test = REQUIRED
    conll.write(splits.train, data_dir / train)
    conll.write(splits.validation, data_dir / validation)
    conll.write((Utterance(utterance.words) for utterance in splits.test), data_dir / test)
    conll.write(splits.test, answers_dir / test)
    texts = ({"ru": _text(russian), "en": _text(english)} for russian, english in splits.pairs)
    lines = [json.dumps(pair, ensure_ascii=False) for pair in texts]
    (data_dir / PAIRS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (data_dir / TEXTS).write_text("\n".join(map(_text, splits.texts)) + "\n", encoding="utf-8")


def _text(utterance: Utterance) -> str:
    return " ".join(utterance.words)


def _some(rng: np.random.Generator, count: int, share: float) -> list[int]:
    """Return about `share` of the numbers below `count`, never all of several; a single one with that probability."""
    if count == 1:
        return [0] if rng.random() < share else []
    return sorted(rng.permutation(count)[: min(count - 1, max(1, round(count * share)))].tolist())


def _part(rng: np.random.Generator, keys: tuple[str, ...], share: float) -> tuple[str, ...]:
    indices = rng.permutation(len(keys))[: max(1, round(len(keys) * share))]
    return tuple(keys[index] for index in sorted(indices.tolist()))


def _values_of(block: Block, allowed: Keys, rng: np.random.Generator) -> dict[str, str]:
    return {name: allowed[name][int(rng.integers(len(allowed[name])))] for name in block.lists}


def _pair(
    source: Commands, index: int, visible: Sequence[Sequence[int]], allowed: Keys, rng: np.random.Generator
) -> tuple[Utterance, Utterance]:
    block = source.blocks[index]
    values = _values_of(block, allowed, rng)
    return source.draw(block, "ru", values, rng, visible[index]), source.draw(block, "en", values, rng)


def _distinct(
    count: int,
    blocks: Sequence[int],
    draw: Callable[[int], Utterance],
    used: set[tuple[str, ...]],
    rng: np.random.Generator,
) -> tuple[Utterance, ...]:
    """Draw utterances of random blocks that are not among the `used` ones, and add them there."""
    drawn: list[Utterance] = []
    misses = 0
    while len(drawn) < count:
        utterance = draw(int(rng.choice(blocks)))
        misses = misses + 1 if utterance.words in used else 0
        if misses > _ATTEMPTS:
            raise DataError(f"the templates do not hold {count} different sentences, only {len(drawn)}.")
        if not misses:
            used.add(utterance.words)
            drawn.append(utterance)
    return tuple(drawn)
