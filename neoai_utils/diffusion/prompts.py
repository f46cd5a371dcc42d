"""Our own words and prompts: what edits are made with, and what strengths are chosen on.

The competition's prompts are for scoring only, so nothing here is taken from them. A part of the words takes no part in
any edit; prompts with these tell how an edit treats words that it has not met.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neoai_utils.diffusion.files import Kind
from neoai_utils.errors import ParameterError

__all__ = [
    "CHECKED", "GROUNDS", "HORSES", "KEPT", "PIGS", "STYLES", "check_prompts", "grid", "pairs", "pig_prompts",
    "sentence",
]  # fmt: skip

STYLES = ("a photo of", "a drawing of", "a sketch of", "a portrait of")
GROUNDS = ("", "on grass", "in snow", "at night", "in the desert", "by the sea")
HORSES = ("horse", "pony", "stallion", "mare", "animal that gallops", "animal with a saddle")
PIGS = ("pig", "hog", "swine", "pink animal with a curly tail")
KEPT = (
    "donkey", "zebra", "cow", "goat", "wild boar", "dog", "cat", "elephant", "rabbit", "duck", "tractor", "car",
    "house", "tree", "apple", "star",
)  # fmt: skip
CHECKED: dict[Kind, tuple[str, ...]] = {
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


def pairs(words: Sequence[str], target: str = "pig") -> list[tuple[str, str]]:
    """Return every prompt of `grid(words)` with the same prompt that says `target`."""
    return list(zip(grid(words), grid([target]) * len(words), strict=True))


def pig_prompts(count: int) -> list[str]:
    """Return the first prompts that ask for a pig: styles first, then styles with grounds.

    Raises:
        ParameterError: there are not as many.
    """
    known = [sentence("pig", style, ground) for ground in GROUNDS for style in STYLES]
    if not 1 <= count <= len(known):
        raise ParameterError(f"count must lie between 1 and {len(known)}, got {count}.")
    return known[:count]


def check_prompts(seed: int, horse: int = 24, pig: int = 16, neutral: int = 24) -> tuple[list[str], list[Kind]]:
    """Return own prompts to choose strengths on, and what each asks for; two of three words were in no edit."""
    rng = np.random.default_rng((seed, 66))
    prompts: list[str] = []
    kinds: list[Kind] = []
    used: dict[Kind, tuple[str, ...]] = {"horse": HORSES, "pig": PIGS, "neutral": KEPT}
    counts: dict[Kind, int] = {"horse": horse, "pig": pig, "neutral": neutral}
    for kind, count in counts.items():
        for number in range(count):
            words = used[kind] if number % 3 == 0 else CHECKED[kind]
            word = words[rng.integers(len(words))]
            style = ("", *STYLES)[rng.integers(len(STYLES) + 1)]
            prompts.append(sentence(word, style, GROUNDS[rng.integers(len(GROUNDS))]))
            kinds.append(kind)
    return prompts, kinds
