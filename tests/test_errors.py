"""Messages of errors and warnings."""

import pytest

from neoai_utils.errors import DataWarning, UnknownTaskError, did_you_mean, first_of, warn


def test_a_close_name_is_suggested_else_all_are_listed() -> None:
    assert did_you_mean("treshold", ["seed", "threshold"]) == ": did you mean threshold?"
    assert did_you_mean("xyz", ["threshold", "seed"]) == "; known are seed, threshold"


def test_the_first_of_several_is_named_with_their_number() -> None:
    assert first_of(["a.png"]) == "a.png"
    assert first_of(["a.png", "b.png", "c.png"]) == "a.png and 2 more"


def test_an_unknown_task_shows_its_message_without_quotes() -> None:
    assert str(UnknownTaskError("unknown task 'x'")) == "unknown task 'x'"


def test_a_warning_is_a_data_warning() -> None:
    with pytest.warns(DataWarning, match="a.csv, line 3"):
        warn("a.csv, line 3: odd")
