"""Label files of every form: columns, tags, one warning for each kind of oddity, and what is written is read back."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.crosslingual import conll
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import DataError

PLAIN = "1\tset\tMusic\tO\n2\tfree\tMusic\tB-genre\n3\tjazz\tMusic\tI-genre\n\n1\twake\tAlarm\tO\n"
READ = (
    Utterance(("set", "free", "jazz"), "Music", ("O", "B-genre", "I-genre")),
    Utterance(("wake",), "Alarm", ("O",)),
)


def read(folder: Path, text: str | bytes, *, labelled: bool = True) -> tuple[tuple[Utterance, ...], list[str]]:
    """Return what a file holds, and the warnings, without the folder."""
    path = folder / "train.conll"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = conll.read(path, labelled=labelled)
    return found, [str(warning.message).removeprefix(f"{path}") for warning in told]


def columns(*order: int, extra: str = "") -> str:
    """Return the plain file with its columns (0 to 3) in another order."""
    rows = [line.split("\t") for line in PLAIN.split("\n")]
    return "\n".join("\t".join([*(row[column] for column in order), *extra]) if len(row) > 1 else "" for row in rows)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "  \t\n"),
        "\n\n \n" + PLAIN.replace("\n\n", "\n\t\n\n# a comment\n# text: wake me\n") + "\n\n",
        "\ufeff" + PLAIN,
        "-DOCSTART- -X- O O\n\n" + PLAIN,
        PLAIN.replace("wake\tAlarm\tO", "wake\tAlarm\tNoLabel"),
    ],
)
def test_ends_of_lines_comments_and_empty_lines_change_nothing(tmp_path, text):
    assert read(tmp_path, text) == (READ, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PLAIN.replace("\t", " "), "word number, word, intent, slot tag, separated by blanks"),
        (PLAIN.replace("\t", "  "), "word number, word, intent, slot tag, separated by blanks"),
        (columns(1, 2, 3), "word, intent, slot tag, separated by tabs"),
        (columns(0, 1, 3, 2), "word number, word, slot tag, intent, separated by tabs"),
        (columns(0, 1, 2, 3, extra="_"), "word number, word, intent, slot tag, (not used), separated by tabs"),
        (columns(0, 1, 1, 2, 3), "word number, word, (not used), intent, slot tag, separated by tabs"),
    ],
)
def test_other_columns_are_told_from_what_they_hold(tmp_path, text, told):
    assert read(tmp_path, text) == (READ, [f": its lines are read as {told}."])


def test_an_intent_may_stand_in_a_comment(tmp_path):
    text = "# intent: Music\nset O\nfree B-genre\njazz I-genre\n\n# Intent = Alarm\nwake O\n"
    assert read(tmp_path, text) == (READ, [": its lines are read as word, slot tag, separated by blanks."])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("B-genre", "b-genre", ", line 2: the prefix of the tag 'b-genre' read as that of B-genre."),
        ("I-genre", "E-genre", ", line 3: the prefix of the tag 'E-genre' read as that of I-genre."),
        ("I-genre", "L-genre", ", line 3: the prefix of the tag 'L-genre' read as that of I-genre."),
        ("B-genre", "B_genre", ", line 2: the prefix of the tag 'B_genre' read as that of B-genre."),
        ("I-genre", "Igenre", None),
        ("wake\tAlarm\tO", "wake\tAlarm\tOgenre", ", line 5: 'Ogenre' is no slot tag, taken as O."),
        ("wake\tAlarm\tO", "wake\tAlarm\to", ", line 5: 'o' is no slot tag, taken as O."),
        ("wake\tAlarm\tO", "wake\tAlarm\t_", ", line 5: '_' is no slot tag, taken as O."),
        ("wake\tAlarm\tO", "wake\tAlarm", ", line 5: 3 columns, not 4; the word has no label."),
        ("1\tset", "x\tset", ""),
    ],
)
def test_odd_tags_are_read_with_one_warning(tmp_path, old, new, told):
    assert old in PLAIN
    found, warned = read(tmp_path, PLAIN.replace(old, new))
    if told == ", line 5: 3 columns, not 4; the word has no label.":
        assert found[1].intent is None
        assert warned[0] == told
    elif told is not None:
        assert (found, warned) == (READ, [told] if told else [])
    else:
        assert found == READ


def test_tags_without_prefix_make_runs(tmp_path):
    text = PLAIN.replace("B-genre", "genre").replace("I-genre", "genre")
    found, warned = read(tmp_path, text + "\n1\tfunk\tMusic\tgenre\n")
    assert found == (*READ, Utterance(("funk",), "Music", ("B-genre",)))
    assert warned == [
        ", line 2: the tag 'genre' has neither B- nor I-, read as B-genre (B- for the first word of a run); "
        "3 cases of this kind."
    ]


def test_many_faults_of_a_kind_are_one_warning(tmp_path):
    text = PLAIN + "".join(f"\n1\tdaily\tAlarm\tB-when\n2\t{word}\tAlarm\tOwhen\n" for word in "abc")
    found, warned = read(tmp_path, text)
    assert found[2:] == tuple(Utterance(("daily", word), "Alarm", ("B-when", "O")) for word in "abc")
    assert warned == [", line 8: 'Owhen' is no slot tag, taken as O; 3 cases of this kind."]


def test_numbers_end_an_utterance_where_no_empty_line_does(tmp_path):
    told = ", line 1: no empty line ends an utterance; each begins where the numbers do."
    assert read(tmp_path, PLAIN.replace("\n\n", "\n")) == (READ, [told])


def test_a_line_without_a_word_is_left_out_of_the_labelled(tmp_path):
    found, warned = read(tmp_path, PLAIN.replace("\tset\t", "\t\t"))
    assert found[0] == Utterance(("free", "jazz"), "Music", ("B-genre", "I-genre"))
    assert warned == [", line 1: no word; the line is left out."]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1\tстоп\n2\t#\n\n1\tда\n", []),
        ("1\tстоп\tx\tO\n2\t#\tx\tO\n\n1\tда\tx\tO\n", []),
        ("1 стоп\n2 #\n\n1 да\n", [": its lines are read as word number, word, separated by blanks."]),
        ("стоп\t_\n#\tO\n\nда\t_\n", [": its lines are read as word, (not used), separated by tabs."]),
    ],
)
def test_hidden_files_of_every_build(tmp_path, text, told):
    assert read(tmp_path, text, labelled=False) == ((Utterance(("стоп", "#")), Utterance(("да",))), told)


def test_nothing_to_read(tmp_path):
    for text, told in (("# a comment\n\n", "holds no utterance"), ("1\tset\tMusic\n", "no column of its 3 holds")):
        with pytest.raises(DataError, match=told):
            read(tmp_path, text)


word = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=5)


tag = st.sampled_from(["O", "B-datetime", "I-datetime", "B-reminder/todo"])


@settings(max_examples=50)
@given(st.lists(st.lists(st.tuples(word, tag), min_size=1, max_size=5), min_size=1, max_size=4))
def test_what_is_written_is_read_back(tmp_path_factory, sentences):
    path = tmp_path_factory.mktemp("conll") / "train.conll"
    utterances = tuple(Utterance(*(tuple(part) for part in zip(*s, strict=True))) for s in sentences)
    utterances = tuple(Utterance(u.words, "weather/find", u.intent) for u in utterances)
    conll.write(utterances, path)
    assert conll.read(path, labelled=True) == utterances
    conll.write([Utterance(u.words) for u in utterances], path)
    assert conll.read(path, labelled=False) == tuple(Utterance(u.words) for u in utterances)
