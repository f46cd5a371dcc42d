"""WordPiece's cut: known answers, and the tokenizer's own."""

from __future__ import annotations

import pytest

from neoai_utils.embeddings import wordpiece


@pytest.mark.parametrize(
    ("token", "parts"),
    [
        ("walking", ["walk", "##ing"]),
        ("##king", ["##k", "##ing"]),
        ("sing", ["s", "##ing"]),
        ("s", ["s"]),
        ("##", []),
        ("walké", []),
    ],
)
def test_wordpiece_cut(token, parts):
    vocabulary = {w: i for i, w in enumerate(["walk", "##ing", "##k", "##i", "s", "i"])}
    assert wordpiece.cut(token, vocabulary) == [vocabulary[part] for part in parts]


def test_wordpiece_cut_agrees_with_the_tokenizer(tiny_model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    vocabulary = tokenizer.get_vocab()
    for word in ("walkings", "jumper", "hunted", "zebra", "clean"):
        assert wordpiece.cut(word, vocabulary) == tokenizer(word, add_special_tokens=False)["input_ids"]
