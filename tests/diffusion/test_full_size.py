"""Stable Diffusion 1.5's own configuration: every edit finds its layers there, and the closed form edits all sixteen.

The weights are random. Most are never touched, so that the whole network costs little more memory than what is edited.
"""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from neoai_utils.diffusion import closed_form, steering, training

# unet/config.json and text_encoder/config.json of runwayml/stable-diffusion-v1-5
UNET = {
    "sample_size": 64, "in_channels": 4, "out_channels": 4, "layers_per_block": 2,
    "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "attention_head_dim": 8,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
}  # fmt: skip
TEXT = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "max_position_embeddings": 77, "vocab_size": 49408, "projection_dim": 768,
}  # fmt: skip


def hollow(kind):
    """The network with weights that are reserved, but not filled."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**UNET)
    return unet.to(kind).to_empty(device="cpu")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_all_sixteen_layers_are_edited_in_closed_form(kind):
    unet = hollow(kind)
    layers = closed_form.key_value_projections(unet)
    assert len(layers) == 32, "keys and values of sixteen layers"
    generator = torch.Generator().manual_seed(0)
    for layer in layers.values():
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator).mul(0.03).to(kind)
    horse, pig, keep = (torch.randn((77, 768), generator=generator) for _ in range(3))
    old = closed_form.edit(unet, horse, pig, keep, 1e-4)
    for name, layer in layers.items():
        assert layer.weight.dtype == kind
        wanted, before = pig @ old[name].float().T, keep @ old[name].float().T
        assert (horse @ layer.weight.float().T - wanted).norm() < 0.02 * wanted.norm()
        assert (keep @ layer.weight.float().T - before).norm() < 0.02 * before.norm()


def test_low_rank_additions_fit():
    unet = hollow(torch.float16)
    names = {name for name, _ in unet.named_parameters()}
    with training.trainable_weights(unet, "lora") as weights:
        assert len(weights) == 16 * 4 * 2
        assert {values.dtype for values in weights} == {torch.float32}
        count = sum(values.numel() for values in weights)
        for name, values in unet.named_parameters():  # the merge at the end adds up what lies there
            if "attn2.to_" in name:
                values.data.zero_()
    assert count < 0.01 * sum(values.numel() for values in unet.parameters())
    assert {name for name, _ in unet.named_parameters()} == names


def test_steering_finds_all_sixteen_layers():
    unet = hollow(torch.float16)
    vectors = {(name, step): torch.zeros(8) for name in steering.cross_attention_layers(unet) for step in range(2)}
    assert len(vectors) == 32
    with steering.steered(unet, vectors, 1.0):
        assert sum(len(module._forward_hooks) for _, module in unet.named_modules()) == 16
    assert sum(len(module._forward_hooks) for _, module in unet.named_modules()) == 0


def test_the_text_encoder_is_of_the_width_that_the_network_reads():
    with torch.device("meta"):
        encoder = CLIPTextModel(CLIPTextConfig(**TEXT))
    assert encoder(torch.zeros((1, 77), dtype=torch.long, device="meta"))[0].shape == (
        1,
        77,
        UNET["cross_attention_dim"],
    )
