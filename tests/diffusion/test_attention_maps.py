"""Attention maps: the network's own attention, and its sum."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.diffusion.attention_maps import attention_map
from neoai_utils.diffusion.generation import draw
from neoai_utils.diffusion.steering import cross_attention_layers
from neoai_utils.errors import ParameterError
from tests.diffusion.conftest import FAST


def pixels(pictures):
    return np.stack([np.asarray(picture) for picture in pictures]).astype(int)


def test_the_attention_that_is_shown_is_the_networks_own(pipe):
    prompt = "a photo of a horse"
    old = dict(pipe.unet.attn_processors)
    picture, attention = attention_map(pipe, prompt, "horse", FAST)
    assert abs(pixels([picture]) - pixels(draw(pipe, [prompt], FAST))).max() <= 1
    assert attention.shape == picture.size[::-1]
    assert (attention.min(), attention.max()) == (0, 1)
    assert pipe.unet.attn_processors == old
    with pytest.raises(ParameterError, match="does not contain the word"):
        attention_map(pipe, prompt, "pig", FAST)


def test_attention_to_all_words_is_one(pipe):
    """A layer whose keys are all equal attends to every word equally: the map of any word is flat."""
    for layer in cross_attention_layers(pipe.unet).values():
        torch.nn.init.zeros_(layer.to_k.weight)
    _, attention = attention_map(pipe, "a photo of a horse", "horse", FAST)
    assert np.ptp(attention) < 1e-3
