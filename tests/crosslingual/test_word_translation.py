"""IBM model 1 against a slow reading of the paper, against known answers, and at the competition's size."""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.crosslingual.word_translation import EMPTY, agreement, dictionary, ibm_model_1
from neoai_utils.errors import DataError

HOUSE = [("das haus", "the house"), ("das buch", "the book"), ("ein buch", "a book")]


def split(pairs):
    return [(source.split(), target.split()) for source, target in pairs]


def probability(translations, source, target):
    """t(target | source), 0 if the two never occur together."""
    entries = zip(translations.rows, translations.columns, translations.values, strict=True)
    named = {(translations.sources[row], translations.targets[column]): value for row, column, value in entries}
    return named.get((source, target), 0.0)


def slow_model_1(pairs, rounds):
    """Brown et al.'s algorithm word by word, with dictionaries."""
    targets = {word for _, sentence in pairs for word in sentence}
    t = defaultdict(lambda: 1 / len(targets))
    for _ in range(rounds):
        count, total = defaultdict(float), defaultdict(float)
        for source, target in pairs:
            for f in target:
                whole = sum(t[e, f] for e in [EMPTY, *source])
                for e in [EMPTY, *source]:
                    count[e, f] += t[e, f] / whole
                    total[e] += t[e, f] / whole
        t = defaultdict(float, {(e, f): value / total[e] for (e, f), value in count.items()})
    return t


sentence = st.lists(st.sampled_from("abcde"), min_size=1, max_size=4)


@settings(max_examples=50)
@given(st.lists(st.tuples(sentence, sentence), min_size=1, max_size=6), st.integers(1, 4))
def test_it_is_the_slow_model(pairs, rounds):
    found, slow = ibm_model_1(pairs, rounds), slow_model_1(pairs, rounds)
    for source in found.sources:
        for target in found.targets:
            assert probability(found, source, target) == pytest.approx(slow[source, target], abs=1e-12)
    assert np.allclose(np.bincount(found.rows, found.values), 1)


def test_words_that_keep_meeting_find_each_other():
    found = ibm_model_1(split(HOUSE), iterations=30)
    for source, target in (("haus", "house"), ("buch", "book"), ("ein", "a")):
        assert max(found.targets, key=lambda word: probability(found, source, word)) == target
    assert probability(found, "haus", "a") == probability(found, "unheard", "the") == 0


def test_both_directions_must_agree():
    pairs = split(HOUSE)
    turned = [(target, source) for source, target in pairs]
    forward, backward = ibm_model_1(pairs, 30), ibm_model_1(turned, 30)
    agreed = agreement(forward, backward)
    assert agreed["haus", "house"] == pytest.approx(
        probability(forward, "haus", "house") * probability(backward, "house", "haus")
    )
    assert all(source != EMPTY for source, _ in agreed)
    found = dictionary(agreed)
    assert {"haus": ["house"], "buch": ["book"]}.items() <= found.items()
    assert dictionary(agreed, threshold=1.0) == {}


def test_the_dictionary_keeps_the_likeliest_translations():
    agreed = {("a", "x"): 0.2, ("a", "y"): 0.9, ("a", "z"): 0.3, ("b", "x"): 0.01}
    assert dictionary(agreed) == {"a": ["y", "z"]}
    assert dictionary(agreed, threshold=0.0, max_translations=1) == {"a": ["y"], "b": ["x"]}


def test_without_pairs_no_word_has_a_translation():
    empty = ibm_model_1([])
    assert dictionary(agreement(empty, empty)) == {}


@pytest.mark.parametrize("pairs", [[(["a"], [])], [([], ["b"])]])
def test_nothing_to_learn_from(pairs):
    with pytest.raises(DataError, match="at least one word on either side"):
        ibm_model_1(pairs)


def test_ten_thousand_pairs_of_a_hidden_code_are_deciphered():
    """Every source word has one translation; word order and lengths say nothing. (Seconds are printed, not gated.)"""
    rng = np.random.default_rng(0)
    sources = [rng.choice(2000, 8, p=(p := 1 / np.arange(2, 2002)) / p.sum()) for _ in range(10_000)]
    pairs = [([f"s{w}" for w in words], [f"t{w}" for w in rng.permutation(words)]) for words in sources]
    start = time.perf_counter()
    found = ibm_model_1(pairs)
    print(f"\n10,000 pairs, ten rounds: {time.perf_counter() - start:.2f} s")
    best: dict[int, tuple[float, int]] = {}
    for row, column, value in zip(found.rows, found.columns, found.values, strict=True):
        best[row] = max(best.get(row, (0.0, 0)), (value, column))
    right = [found.targets[best[row][1]][1:] == word[1:] for row, word in enumerate(found.sources) if word != EMPTY]
    assert np.mean(right) > 0.95
