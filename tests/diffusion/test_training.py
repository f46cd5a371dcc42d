"""The training loop: the weights that it changes, half precision, seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from neoai_utils.diffusion.distillation import distil
from neoai_utils.diffusion.finetune import Examples, fine_tune
from neoai_utils.diffusion.generation import draw
from neoai_utils.diffusion.training import TrainingPlan, trainable_weights
from neoai_utils.errors import ParameterError
from tests.diffusion.conftest import FAST


def changed(unet, before):
    return {name for name, values in unet.state_dict().items() if not torch.equal(values, before[name])}


def snapshot(unet):
    return {name: values.clone() for name, values in unet.state_dict().items()}


@pytest.mark.parametrize(
    ("group", "touched"),
    [
        ("all", lambda name: True),
        ("cross-attention", lambda name: name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))),
        ("lora", lambda name: "attn2.to_" in name and name.endswith("weight")),
    ],
)
def test_only_the_group_changes(pipe, examples, group, touched):
    before = snapshot(pipe.unet)
    fine_tune(pipe, examples, TrainingPlan(3, 1e-3, batch_size=2, weights=group))
    edited = changed(pipe.unet, before)
    assert edited
    assert all(touched(name) for name in edited)
    assert set(pipe.unet.state_dict()) == set(before), "no trace of the low-rank additions is left"


def test_low_rank_beside_a_torchao_that_peft_refuses(pipe, examples, old_torchao):
    before = snapshot(pipe.unet)
    fine_tune(pipe, examples, TrainingPlan(1, 1e-3, weights="lora"))
    assert changed(pipe.unet, before)
    assert set(pipe.unet.state_dict()) == set(before)


def test_the_same_seed_gives_the_same_weights(pipe, examples):
    start = snapshot(pipe.unet)
    ends = []
    for seed in (1, 1, 2):
        pipe.unet.load_state_dict(start)
        fine_tune(pipe, examples, TrainingPlan(3, 1e-3, batch_size=2, seed=seed))
        ends.append(snapshot(pipe.unet))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in start)
    assert any(not torch.equal(ends[0][name], ends[2][name]) for name in start)


@pytest.fixture
def fresh_accelerator():
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize("group", ["all", "cross-attention", "lora"])
def test_a_network_in_half_precision_learns(pipe, examples, group, fresh_accelerator):
    """As on a GPU: trained weights are kept in fp32 meanwhile, all others stay in half precision."""
    pipe.unet.to(torch.bfloat16)
    pipe.text_encoder.to(torch.bfloat16)
    half = Examples(examples.prompts, examples.latents.to(torch.bfloat16))
    before = snapshot(pipe.unet)
    losses = fine_tune(pipe, half, TrainingPlan(3, 1e-2, batch_size=2, weights=group))
    assert all(np.isfinite(losses))
    assert changed(pipe.unet, before)
    assert {values.dtype for values in pipe.unet.parameters()} == {torch.bfloat16}
    pipe.vae.to(torch.bfloat16)
    assert len(draw(pipe, ["a pig"], FAST)) == 1, "and the pipeline draws as it did"
    pipe.vae.to(torch.float32)
    distil(
        pipe,
        [("a mare", "a pig")],
        ["star"],
        half.latents,
        TrainingPlan(2, 1e-3, batch_size=2, weights=group),
        repel=0.5,
    )
    pipe.text_encoder.float()


def test_half_precision_comes_back(pipe):
    pipe.unet.to(torch.bfloat16)
    with trainable_weights(pipe.unet, "cross-attention") as weights:
        assert {values.dtype for values in weights} == {torch.float32}
    assert {values.dtype for values in pipe.unet.parameters()} == {torch.bfloat16}


def test_what_cannot_be_trained(pipe, examples):
    with pytest.raises(ParameterError, match="at least one step"):
        fine_tune(pipe, examples, TrainingPlan(0, 1e-3))
    pipe.scheduler.register_to_config(prediction_type="v_prediction")
    with pytest.raises(ParameterError, match="must predict noise"):
        fine_tune(pipe, examples, TrainingPlan(1, 1e-3))
    pipe.scheduler.register_to_config(prediction_type="epsilon")
