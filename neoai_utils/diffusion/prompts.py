"""Our own words and prompts: those that edits are made with, and those that strengths are chosen on.

The competition's prompts are for scoring only, so nothing here is taken from them. Some words are held out of every
edit; prompts with these measure how an edit treats unseen words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neoai_utils.diffusion.metric import Kind
from neoai_utils.errors import ParameterError

__all__ = [
    "GROUNDS", "HELD_OUT", "HORSES", "KEPT", "PIGS", "STYLES", "grid", "pairs", "pig_prompts", "sentence",
    "validation_prompts",
]  # fmt: skip

STYLES = ("a photo of", "a drawing of", "a sketch of", "a portrait of")
GROUNDS = ("", "on grass", "in snow", "at night", "in the desert", "by the sea")
HORSES = ("horse", "pony", "stallion", "mare", "animal that gallops", "animal with a saddle")
PIGS = ("pig", "hog", "swine", "pink animal with a curly tail")
KEPT = (
    "donkey", "zebra", "cow", "goat", "wild boar", "dog", "cat", "elephant", "rabbit", "duck", "tractor", "car",
    "house", "tree", "apple", "star",
)  # fmt: skip
HELD_OUT: dict[Kind, tuple[str, ...]] = {
    "horse": ("foal", "equine", "animal that neighs"),
    "pig": ("piglet", "animal that oinks"),
    "neutral": ("mule", "deer", "sheep", "tiger", "rooster", "bicycle", "castle", "cactus"),
}


def sentence(word: str, style: str = "", ground: str = "") -> str:
    """Return a prompt: "a photo of" + "horse" + "on grass" becomes "a photo of a horse on grass"."""
    article = "" if not style else "an " if word[0] in "aeiou" else "a "
    return " ".join(part for part in (style, article + word, ground) if part)


def grid(words: Sequence[str]) -> list[str]:
    """Return every word in every style and in none, on every ground and on none."""
    return [sentence(word, style, ground) for word in words for style in ("", *STYLES) for ground in GROUNDS]


def pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return every prompt of `grid(words)` with the same prompt for a pig."""
    return list(zip(grid(words), grid(["pig"]) * len(words), strict=True))


def pig_prompts(count: int) -> list[str]:
    """Return the first prompts that ask for a pig: styles first, then styles with grounds.

    Raises:
        ParameterError: there are fewer.
    """
    texts = [sentence("pig", style, ground) for ground in GROUNDS for style in STYLES]
    if not 1 <= count <= len(texts):
        raise ParameterError(f"count must lie between 1 and {len(texts)}, got {count}.")
    return texts[:count]


def validation_prompts(
    seed: int, horse: int = 24, pig: int = 16, neutral: int = 24
) -> tuple[list[str], list[Kind]]:  # fmt: skip
    """Return our own prompts to choose strengths on, and their kinds; two of three words are held out of edits.

    Args:
        seed: of words, styles and grounds.
        horse: prompts that ask for a horse.
        pig: prompts that ask for a pig.
        neutral: other prompts.
    """
    rng = np.random.default_rng((seed, 66))
    prompts: list[str] = []
    kinds: list[Kind] = []
    edited: dict[Kind, tuple[str, ...]] = {"horse": HORSES, "pig": PIGS, "neutral": KEPT}
    counts: dict[Kind, int] = {"horse": horse, "pig": pig, "neutral": neutral}
    for kind, count in counts.items():
        for number in range(count):
            words = edited[kind] if number % 3 == 0 else HELD_OUT[kind]
            word = words[rng.integers(len(words))]
            style = ("", *STYLES)[rng.integers(len(STYLES) + 1)]
            prompts.append(sentence(word, style, GROUNDS[rng.integers(len(GROUNDS))]))
            kinds.append(kind)
    return prompts, kinds
