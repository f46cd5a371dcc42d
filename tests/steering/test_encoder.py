"""Sentence vectors against a plain reference."""

from __future__ import annotations

import numpy as np
import torch

from neoai_utils.steering.encoder import Encoder, similarity


def test_similarity_is_the_plain_cosine(encoder: Encoder, sentences) -> None:
    first, second = sentences(8), sentences(8, 1)
    rows = []
    for one, other in zip(first, second, strict=True):
        with torch.inference_mode():
            a, b = (
                encoder.model(torch.tensor([encoder.tokenizer.encode(t)])).last_hidden_state[0].mean(0)
                for t in (one, other)
            )
        rows.append(float(torch.cosine_similarity(a, b, dim=0)))
    assert np.allclose(similarity(encoder, first, second), rows, atol=1e-5)
    assert np.allclose(similarity(encoder, first, first), 1, atol=1e-5)
