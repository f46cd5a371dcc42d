"""Which of our sentences a text contains, word by word: what is written down need not be guessed.

A sentence counts without its article and with its last word in the plural, so that "dun mares" contains "a mare". A
source sentence that lies inside a longer one of the other side does not count: "horse" in "clothes horse".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neoai_utils.diffusion.texts import token_ids

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["Lexicon", "make"]

_ARTICLES = frozenset(["a", "an", "the", "un", "une", "una", "um", "uma", "ein", "eine", "en", "et"])


@dataclass(frozen=True)
class Lexicon:
    """Sentences of two sides, as words.

    Attributes:
        sides: words of a sentence -> whether it is one of the source concept.
        vocabulary: token id -> token, "</w>" at the end of a word.
        end: id of the token that ends a text.
    """

    sides: Mapping[tuple[str, ...], bool]
    vocabulary: Mapping[int, str]
    end: int

    def words(self, ids: Sequence[int]) -> tuple[str, ...]:
        """Return the words of a text, from its token ids: a start token, the text, the end token, padding."""
        row = list(ids[1:])
        text = row[: row.index(self.end)] if self.end in row else row
        return tuple("".join(self.vocabulary[token] for token in text).replace("</w>", " ").split())

    def asks_for_source(self, ids: Sequence[int]) -> bool | None:
        """Return which side the sentences in a text are on; None: it contains none.

        A source sentence decides unless it lies inside a sentence of the other side.
        """
        words = self.words(ids)
        spans = [(i, j) for i in range(len(words)) for j in range(i + 1, len(words) + 1) if words[i:j] in self.sides]
        others = [(i, j) for i, j in spans if not self.sides[words[i:j]]]
        free = [
            (i, j)
            for i, j in spans
            if self.sides[words[i:j]] and not any(start <= i and j <= stop for start, stop in others)
        ]
        return bool(free) if spans else None


def make(pipe: StableDiffusionPipeline, sources: Iterable[str], others: Iterable[str]) -> Lexicon:
    """Return the lexicon of sentences for the source concept and of others, as the pipeline's tokenizer reads them."""
    vocabulary = {number: token for token, number in pipe.tokenizer.get_vocab().items()}
    empty = Lexicon({}, vocabulary, pipe.tokenizer.eos_token_id)
    sides: dict[tuple[str, ...], bool] = {}
    for is_source, sentences in ((True, list(sources)), (False, list(others))):
        for ids in token_ids(pipe, sentences).tolist() if sentences else ():
            words = empty.words(ids)
            if name := words[1:] if words[:1] and words[0] in _ARTICLES else words:
                sides.update(dict.fromkeys((name, _plural(name)), is_source))
    return Lexicon(sides, vocabulary, pipe.tokenizer.eos_token_id)


def _plural(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words with the last one in the plural: "pony" becomes "ponies"."""
    last = words[-1].removesuffix("y") + "ies" if words[-1][-2:-1] not in "aeiou" and words[-1][-1] == "y" else ""
    return (*words[:-1], last or f"{words[-1]}s")
