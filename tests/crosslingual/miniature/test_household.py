"""The bilingual values: complete, distinct, each in its own script."""

from __future__ import annotations

import re

import pytest

from neoai_utils.crosslingual.miniature.household import VALUES


@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_are_pairs_of_an_english_and_a_russian_text(name: str) -> None:
    for english, russian in VALUES[name]:
        assert re.fullmatch(r"[a-z ]+", english), english
        assert re.fullmatch(r"[а-яё ]+", russian), russian


@pytest.mark.parametrize("name", sorted(VALUES))
def test_no_value_appears_twice(name: str) -> None:
    for side in zip(*VALUES[name], strict=True):
        assert len(set(side)) == len(side)
