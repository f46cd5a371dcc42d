"""The concepts: distinct words."""

from __future__ import annotations

from neoai_utils.diffusion.miniature import concepts


def test_no_word_names_two_concepts():
    words = [word for concept in concepts.CONCEPTS for word in concept.words]
    assert len(words) == len(set(words))
    assert set(concepts.SIMILAR) <= {concept.names[0] for concept in concepts.CONCEPTS}
