"""The concepts of the miniature's text-to-image model: animals and things, their names, and the grounds.

A horse and a pig have names and descriptions without a name, as in the competition, where 65 of 86 horse prompts do
not contain the word "horse". Half of either kind are `hidden`: they occur in test prompts only, so that no list of
synonyms is complete. Many of the other animals are similar: donkey, boar, zebra, cow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neoai_utils.diffusion.metric import Kind
from neoai_utils.diffusion.prompts import sentence

__all__ = ["CONCEPTS", "GROUNDS", "SIMILAR", "Concept", "caption"]

# sky and earth of each ground, RGB; the empty one is a plain pale colour
GROUNDS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "": ((228, 228, 228), (228, 228, 228)),
    "on grass": ((150, 205, 240), (96, 168, 70)),
    "in snow": ((172, 196, 220), (240, 244, 250)),
    "at night": ((22, 26, 66), (40, 46, 60)),
    "in the desert": ((250, 214, 150), (214, 170, 104)),
    "by the sea": ((186, 226, 246), (52, 118, 190)),
}


@dataclass(frozen=True)
class Concept:
    """An animal or a thing.

    Attributes:
        names: its names, the plain one first.
        code: code point of its emoji.
        face: code point of its face's emoji, "" without one.
        descriptions: of it, without its name.
        hidden: names and descriptions that only test prompts contain.
        kind: the competition's kind of a prompt that asks for it.
        weight: how often it is drawn.
    """

    names: tuple[str, ...]
    code: str
    face: str = ""
    descriptions: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    kind: Kind = "neutral"
    weight: float = 1.0

    @property
    def words(self) -> tuple[str, ...]:
        """Return all names and descriptions, the plain name first."""
        return (*self.names, *self.descriptions, *self.hidden)


_HORSE = Concept(
    ("horse", "pony", "stallion", "mare", "foal", "equine"), "1f40e", "1f434",
    descriptions=("animal that gallops", "animal with a saddle", "animal that neighs"),
    hidden=(
        "mustang", "bronco", "gelding", "thoroughbred", "steed",
        "animal that knights ride", "animal that pulls carriages", "racer with a mane", "friend of the cowboy",
        "graceful runner of the meadow",
    ),
    kind="horse", weight=9,
)  # fmt: skip
_PIG = Concept(
    ("pig", "hog", "swine", "piglet"), "1f416", "1f437",
    descriptions=("animal that oinks", "pink animal with a curly tail"),
    hidden=("sow", "porker", "animal that loves mud", "animal that becomes bacon"),
    kind="pig", weight=7,
)  # fmt: skip
SIMILAR = ("donkey", "wild boar", "zebra", "cow", "unicorn", "goat", "sheep", "deer", "camel")
_NEUTRAL = (
    Concept(("donkey", "mule"), "1facf"),
    Concept(("wild boar", "warthog"), "1f417"),
    Concept(("zebra",), "1f993", descriptions=("striped grazer",)),
    Concept(("cow", "cattle"), "1f404", "1f42e"),
    Concept(("unicorn",), "1f984"),
    Concept(("goat",), "1f410"),
    Concept(("sheep", "lamb"), "1f411"),
    Concept(("deer",), "1f98c"),
    Concept(("camel",), "1f42b"),
    Concept(("giraffe",), "1f992"),
    Concept(("elephant",), "1f418"),
    Concept(("hippo",), "1f99b"),
    Concept(("rhino",), "1f98f"),
    Concept(("dog", "puppy"), "1f415", "1f436"),
    Concept(("cat", "kitten"), "1f408", "1f431"),
    Concept(("rabbit",), "1f407", "1f430"),
    Concept(("tiger",), "1f405", "1f42f"),
    Concept(("rooster",), "1f413"),
    Concept(("duck",), "1f986"),
    Concept(("turtle",), "1f422"),
    Concept(("tractor",), "1f69c"),
    Concept(("car",), "1f697"),
    Concept(("bicycle",), "1f6b2"),
    Concept(("house",), "1f3e0"),
    Concept(("castle",), "1f3f0"),
    Concept(("tree",), "1f333"),
    Concept(("sunflower",), "1f33b"),
    Concept(("apple",), "1f34e"),
    Concept(("sailboat",), "26f5"),
    Concept(("star",), "2b50"),
    Concept(("pumpkin",), "1f383"),
    Concept(("cactus",), "1f335"),
    Concept(("mushroom",), "1f344"),
    Concept(("rocket",), "1f680"),
    Concept(("bell",), "1f514"),
    Concept(("guitar",), "1f3b8"),
)
CONCEPTS: tuple[Concept, ...] = (_HORSE, _PIG, *_NEUTRAL)


def caption(concept: Concept | None, style: str, ground: str, rng: np.random.Generator) -> str:
    """Return a random caption of a scene: the plain name more often than others, sometimes without style and ground."""
    if concept is None:
        return ground
    words = concept.words
    word = words[0] if rng.random() < 0.2 else words[rng.integers(len(words))]
    return word if rng.random() < 0.12 else sentence(word, style, ground)
