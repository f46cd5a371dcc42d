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


def test_marks_that_the_files_do_not_have_are_taken_out():
    """Files without marks were cleaned, so raw sentences are, too; marks that belong to a word stay."""
    split = WordSplitter(["погода", "завтра", "5", "%", "20%", "rock'n'roll", "да-да"])
    assert split("«Погода», завтра...") == "Погода завтра"
    assert split("Завтра — погода! 20%, да-да") == "Завтра погода 20% да-да"
    assert split("?!") == "? !", "a sentence of marks alone is left with its marks"


def test_a_mark_that_some_words_keep_is_taken_from_words_of_the_files():
    split = WordSplitter(["wake", "me", "at", "6", "a.m.", "tomorrow", "p.m.", "No.", "etc."])
    assert split("Wake me tomorrow. At 6 a.m.") == "Wake me tomorrow At 6 a.m."
    assert split("Ask Dr. No.") == "Ask Dr. No.", "nobody knows whether Dr is a word"
