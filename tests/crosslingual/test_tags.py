"""Slot tags: any spelling is read, and any sequence is made valid."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.crosslingual.tags import OUTSIDE, is_tag, read_tag, valid_tags


@given(st.text(min_size=1, max_size=8), st.sets(st.sampled_from(["genre", "time"])))
def test_whatever_a_tag_is_called_a_tag_is_read(text, slots):
    tag, assumed = read_tag(text, slots, (OUTSIDE, OUTSIDE))
    assert is_tag(tag)
    assert tag != "NoLabel"
    assert bool(assumed) == (not is_tag(text))
    assert read_tag(tag, slots, (OUTSIDE, OUTSIDE)) == (tag, "")


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"]), max_size=8))
def test_tags_made_valid_are_valid_and_stay_so(tags):
    valid = valid_tags(tags)
    assert valid_tags(valid) == valid
    assert [tag[2:] for tag in valid] == [tag[2:] for tag in tags]
    for before, tag in zip(("O", *valid), valid, strict=False):
        assert not tag.startswith("I-") or before[2:] == tag[2:]
