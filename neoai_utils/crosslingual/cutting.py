"""Raw sentences cut into words as the labelled files cut theirs.

The files are already cut, and most of them set punctuation marks apart: `завтра .` is two words there. A raw sentence
has them glued to words, so that `завтра.` would be another word than `завтра`. Which marks stand apart, and which words
keep theirs (`a.m.`, `R&B`), is read off the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from unicodedata import category

__all__ = ["Cutter"]


class Cutter:
    """Cuts sentences as the words of some files are cut."""

    def __init__(self, words: Iterable[str]) -> None:
        """Learn from words.

        Args:
            words: all words of the files, each as often as it occurs.
        """
        self._counts = Counter(word.lower() for word in words)
        apart, glued = Counter[str](), Counter[str]()
        for word, count in self._counts.items():
            if len(word) == 1:
                apart[word] += count
            else:
                for mark in {word[0], word[-1]}:
                    glued[mark] += count
        self._marks = {mark for mark in apart if category(mark).startswith("P") and apart[mark] > glued[mark]}

    def __call__(self, sentence: str) -> str:
        """Return the sentence with blanks between its words; one that needs no cut is returned as it is."""
        pieces = sentence.split()
        words = [part for piece in pieces for part in self._parts(piece)]
        return sentence if words == pieces else " ".join(words)

    def _parts(self, piece: str) -> list[str]:
        """Return a piece without the marks at its ends, and these."""
        before: list[str] = []
        after: list[str] = []
        while len(piece) > 1 and piece[0] in self._marks and not self._keeps(piece, piece[1:]):
            before.append(piece[0])
            piece = piece[1:]
        while len(piece) > 1 and piece[-1] in self._marks and not self._keeps(piece, piece[:-1]):
            after.append(piece[-1])
            piece = piece[:-1]
        return [*before, piece, *reversed(after)]

    def _keeps(self, piece: str, rest: str) -> bool:
        """Return whether the files have the piece more often than what would remain of it."""
        return self._counts[piece.lower()] > self._counts[rest.lower()]
