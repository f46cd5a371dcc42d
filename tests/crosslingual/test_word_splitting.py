"""Raw sentences are split as the labelled files are."""

from __future__ import annotations

from neoai_utils.crosslingual.word_splitting import WordSplitter


def test_marks_are_separated_as_in_the_files():
    words = "погода завтра ? стоп , да . нет . и . или . R&B & a.m. U.S.A. St. 5 °"
    split = WordSplitter(words.split())
    assert split("Стоп, завтра?") == "Стоп , завтра ?"
    assert split("R&B в U.S.A. и St. Louis.") == "R&B в U.S.A. и St. Louis ."
    assert split("когда?..") == "когда ? . ."
    assert split("  нет   меток ") == "  нет   меток ", "a sentence without marks stays the same"


def test_marks_that_the_files_leave_on_words_stay_there():
    assert WordSplitter(["нет.", "да.", "."])("Нет. Так.") == "Нет. Так."
    assert WordSplitter([])("Нет. Так.") == "Нет. Так."
