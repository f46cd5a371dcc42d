"""The bank of sentences: what it holds, further sentences, held-out words, vocabularies."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from neoai_utils.diffusion import sentences
from neoai_utils.diffusion.metric import KINDS
from neoai_utils.diffusion.prompts import HELD_OUT
from neoai_utils.errors import ParameterError


def test_the_bank_has_each_sentence_once_and_many_kinds():
    bank = sentences.read()
    assert list(bank.columns) == list(sentences.COLUMNS)
    assert set(bank["asks_for"]) == set(KINDS)
    assert bank["sentence"].is_unique
    assert (bank == bank.apply(lambda column: column.str.strip())).all(None)
    sizes = bank.groupby(["asks_for", "kind"]).size()
    assert sizes.min() >= 10
    assert (bank["asks_for"] == "horse").sum() < (bank["asks_for"] != "horse").sum(), "traps on the other side"


def test_the_word_horse_stands_on_both_sides():
    bank = sentences.read()
    said = bank[bank["sentence"].str.contains("horse", case=False)]
    assert {"horse", "neutral"} <= set(said["asks_for"])


def test_further_sentences():
    bank = sentences.read([("horse", "my own", "a Knabstrupper"), ("horse", "my own", "a mare")])
    assert bank["sentence"].iloc[-1] == "a Knabstrupper"
    assert len(bank) == len(sentences.read()) + 1, "a sentence of the bank is not taken twice"
    assert sentences.overview(bank).iloc[-1].tolist() == ["horse", "my own", 1, "a Knabstrupper"]
    with pytest.raises(ParameterError, match="one of horse, pig, neutral"):
        sentences.read([("cow", "mine", "a cow")])
    with pytest.raises(ParameterError, match="a sentence"):
        sentences.read([("horse", "mine", "")])


def test_sentences_with_held_out_words_are_left_out():
    bank = sentences.read()
    rest = sentences.without(bank, HELD_OUT["horse"])
    left_out = set(bank["sentence"]) - set(rest["sentence"])
    assert {"a foal", "a mare and her foal", "equines at sunset", "an animal that neighs"} <= left_out
    assert "a mare" not in left_out


@pytest.mark.parametrize(("size", "read"), [(400, ["a mare", "a horse"]), (49_408, None)])
def test_a_small_vocabulary_reads_sentences_of_its_own_words(size, read):
    words = ["a</w>", "mare</w>", "horse</w>", "sea"]
    vocabulary = {word: number for number, word in enumerate([*words, *map(str, range(size - len(words)))])}
    texts = sentences.read()["sentence"].tolist()
    assert sentences.readable(texts, SimpleNamespace(get_vocab=lambda: vocabulary)) == (read or texts)
