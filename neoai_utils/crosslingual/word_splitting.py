"""Raw sentences split into words as in the labelled files.

The labelled files are already split into words, and most of them separate punctuation marks: `завтра .` is two words.
In a raw sentence marks are attached to words, so that `завтра.` would be another word than `завтра`. The files show
which marks are separate and which words keep theirs (`a.m.`, `R&B`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from unicodedata import category

__all__ = ["WordSplitter"]


class WordSplitter:
    """Splits sentences into words as some files do."""

    def __init__(self, words: Iterable[str]) -> None:
        """Count words.

        Args:
            words: all words of the files, each as often as it occurs.
        """
        self._counts = Counter(word.lower() for word in words)
        separate, attached = Counter[str](), Counter[str]()
        for word, count in self._counts.items():
            if len(word) == 1:
                separate[word] += count
            else:
                for mark in {word[0], word[-1]}:
                    attached[mark] += count
        self._marks = {m for m in separate if category(m).startswith("P") and separate[m] > attached[m]}

    def __call__(self, sentence: str) -> str:
        """Return the sentence with blanks between its words; one that needs no split is returned unchanged."""
        chunks = sentence.split()
        words = [part for chunk in chunks for part in self._parts(chunk)]
        return sentence if words == chunks else " ".join(words)

    def _parts(self, chunk: str) -> list[str]:
        """Separate the marks at the ends of a chunk."""
        before: list[str] = []
        after: list[str] = []
        while len(chunk) > 1 and chunk[0] in self._marks and not self._keeps(chunk, chunk[1:]):
            before.append(chunk[0])
            chunk = chunk[1:]
        while len(chunk) > 1 and chunk[-1] in self._marks and not self._keeps(chunk, chunk[:-1]):
            after.append(chunk[-1])
            chunk = chunk[:-1]
        return [*before, chunk, *reversed(after)]

    def _keeps(self, chunk: str, rest: str) -> bool:
        """Return whether the files have the chunk more often than the rest without its mark."""
        return self._counts[chunk.lower()] > self._counts[rest.lower()]
