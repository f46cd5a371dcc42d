"""Raw sentences split into words as in the labelled files.

The labelled files are already split into words, and most of them separate punctuation marks: `завтра .` is two words.
In a raw sentence marks are attached to words, so that `завтра.` would be another word than `завтра`. The files show
which marks are separate and which words keep theirs (`a.m.`, `R&B`). Files may also have no marks at all, because they
were taken out; then the marks of raw sentences are taken out, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from unicodedata import category

__all__ = ["WordSplitter"]

_SENTENCE_MARKS = frozenset('.,!?;:…«»“”„"()[]—–')  # others, as % and °, belong to their words


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
        self._no_words = {m for m in _SENTENCE_MARKS if self._counts and not separate[m]}
        self._unused = {m for m in self._no_words if not attached[m]}

    def __call__(self, sentence: str) -> str:
        """Return the sentence with blanks between its words; one that needs no split is returned unchanged.

        Marks that are no words of the files are taken out, unless nothing else is there.
        """
        chunks = sentence.split()
        parts = [part for chunk in chunks for part in self._parts(chunk)]
        words = [part for part in parts if part not in self._no_words] or parts
        return sentence if words == chunks else " ".join(words)

    def _parts(self, chunk: str) -> list[str]:
        """Separate the marks at the ends of a chunk."""
        before: list[str] = []
        after: list[str] = []
        while len(chunk) > 1 and self._splits(chunk[0], chunk, chunk[1:]):
            before.append(chunk[0])
            chunk = chunk[1:]
        while len(chunk) > 1 and self._splits(chunk[-1], chunk, chunk[:-1]):
            after.append(chunk[-1])
            chunk = chunk[:-1]
        return [*before, chunk, *reversed(after)]

    def _splits(self, mark: str, chunk: str, rest: str) -> bool:
        """Return whether a mark at the end of a chunk is separated from the rest.

        It stays if the files have the chunk more often than the rest. A mark that some words of the files keep is
        separated from a rest that is a word of the files.
        """
        whole, without = self._counts[chunk.lower()], self._counts[rest.lower()]
        if whole > without:
            return False
        return mark in self._marks or mark in self._unused or (mark in _SENTENCE_MARKS and without > 0)
