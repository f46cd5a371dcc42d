"""Edits by gradient steps: what they minimise, what they touch, and what they leave."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import DDPMScheduler

from neoai_utils.diffusion import finetune
from neoai_utils.diffusion.finetune import (
    Examples,
    Schedule,
    distil,
    fine_tune,
    own_examples,
    replace_word,
    trained_weights,
)  # fmt: skip
from neoai_utils.diffusion.generation import draw
from neoai_utils.diffusion.texts import states
from neoai_utils.errors import ParameterError
from tests.diffusion.conftest import FAST

PIGS = ("a photo of a pig", "a sketch of a pig")


@pytest.fixture
def examples():
    generator = torch.Generator().manual_seed(0)
    return Examples(PIGS, torch.randn((2, 4, 8, 8), generator=generator))


def changed(unet, before):
    return {name for name, values in unet.state_dict().items() if not torch.equal(values, before[name])}


def snapshot(unet):
    return {name: values.clone() for name, values in unet.state_dict().items()}


@pytest.mark.parametrize(
    ("prompt", "new", "expected"),
    [
        ("a photo of a pig", "horse", "a photo of a horse"),
        ("a photo of a pig on grass", "equine", "a photo of an equine on grass"),
        ("pig", "mare", "mare"),
        ("a piglet", "mare", "a piglet"),
        ("a guinea-pig, a pig", "horse", "a guinea-horse, a horse"),
    ],
)
def test_a_word_is_replaced_as_a_whole(prompt, new, expected):
    assert replace_word(prompt, "pig", new) == expected


def test_own_pictures_come_back_as_latents(pipe):
    found = own_examples(pipe, PIGS, FAST)
    assert found.prompts == PIGS
    assert found.latents.shape == (2, 4, 8, 8)
    assert torch.isfinite(found.latents).all()


def test_fine_tuning_learns_its_examples(pipe, examples):
    losses = fine_tune(pipe, examples, Schedule(40, 1e-2, batch=4), words=("horse", "mare"), share=0.5)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert not any(values.requires_grad for values in pipe.unet.parameters())


def test_a_share_of_nought_never_says_horse(pipe, examples, monkeypatch):
    said = []
    monkeypatch.setattr(finetune, "states", lambda pipe, prompts: said.extend(prompts) or states(pipe, prompts))
    fine_tune(pipe, examples, Schedule(5, 1e-4, batch=4), share=0.0)
    assert set(said) <= set(PIGS)
    fine_tune(
        pipe, examples, Schedule(5, 1e-4, batch=4), words=("mare",), prior=Examples(("star",), examples.latents[:1])
    )
    assert {"a photo of a mare", "star"} <= set(said)


@pytest.mark.parametrize(
    ("trained", "touched"),
    [
        ("all", lambda name: True),
        ("cross-attention", lambda name: name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))),
        ("lora", lambda name: "attn2.to_" in name and name.endswith("weight")),
    ],
)
def test_only_the_chosen_weights_change(pipe, examples, trained, touched):
    before = snapshot(pipe.unet)
    fine_tune(pipe, examples, Schedule(3, 1e-3, batch=2, trained=trained))
    found = changed(pipe.unet, before)
    assert found
    assert all(touched(name) for name in found)
    assert set(pipe.unet.state_dict()) == set(before), "no trace of the low-rank additions is left"


def test_low_rank_beside_a_torchao_that_peft_refuses(pipe, examples, old_torchao):
    before = snapshot(pipe.unet)
    fine_tune(pipe, examples, Schedule(1, 1e-3, trained="lora"))
    assert changed(pipe.unet, before)
    assert set(pipe.unet.state_dict()) == set(before)


def test_the_same_seed_gives_the_same_weights(pipe, examples):
    start = snapshot(pipe.unet)
    ends = []
    for seed in (1, 1, 2):
        pipe.unet.load_state_dict(start)
        fine_tune(pipe, examples, Schedule(3, 1e-3, batch=2, seed=seed))
        ends.append(snapshot(pipe.unet))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in start)
    assert any(not torch.equal(ends[0][name], ends[2][name]) for name in start)


@pytest.fixture
def fresh_accelerator():
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize("trained", ["all", "cross-attention", "lora"])
def test_a_network_in_half_precision_learns(pipe, examples, trained, fresh_accelerator):
    """As on a GPU: what changes is kept in fp32 meanwhile, all else stays in half precision."""
    pipe.unet.to(torch.bfloat16)
    pipe.text_encoder.to(torch.bfloat16)
    half = Examples(examples.prompts, examples.latents.to(torch.bfloat16))
    before = snapshot(pipe.unet)
    losses = fine_tune(pipe, half, Schedule(3, 1e-2, batch=2, trained=trained))
    assert all(np.isfinite(losses))
    assert changed(pipe.unet, before)
    assert {values.dtype for values in pipe.unet.parameters()} == {torch.bfloat16}
    pipe.vae.to(torch.bfloat16)
    assert len(draw(pipe, ["a pig"], FAST)) == 1, "and the pipeline draws as it did"
    pipe.vae.to(torch.float32)
    distil(pipe, [("a mare", "a pig")], ["star"], half.latents, Schedule(2, 1e-3, batch=2, trained=trained), repel=0.5)
    pipe.text_encoder.float()


def test_half_precision_comes_back(pipe):
    pipe.unet.to(torch.bfloat16)
    with trained_weights(pipe.unet, "cross-attention") as weights:
        assert {values.dtype for values in weights} == {torch.float32}
    assert {values.dtype for values in pipe.unet.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(("goal", "repel"), [("a photo of a pig", 0.0), ("", 1.5)])
def test_distillation_reaches_its_goal(pipe, examples, goal, repel):
    """Where horse and kept prompts are apart, the student predicts what the docstring's formula says."""
    source = "a photo of a horse"
    for name, values in pipe.unet.named_parameters():  # untrained, it hardly listens to the text
        if name.endswith(("attn2.to_v.weight", "attn2.to_out.0.weight")):
            values.data *= 6
    teacher = copy.deepcopy(pipe.unet)
    distil(
        pipe,
        [(source, goal)],
        ["star at night"],
        examples.latents,
        Schedule(80, 1e-2, 4, "cross-attention"),
        repel=repel,
    )
    generator = torch.Generator().manual_seed(5)
    noisy = DDPMScheduler.from_config(pipe.scheduler.config).add_noise(
        examples.latents, torch.randn((2, 4, 8, 8), generator=generator), torch.tensor([500, 500])
    )

    @torch.no_grad()
    def predicted(unet, text):
        return unet(noisy, 500, states(pipe, [text] * 2)).sample

    aim = predicted(teacher, goal) + repel * (predicted(teacher, goal) - predicted(teacher, source))
    before = (predicted(teacher, source) - aim).square().mean()
    assert (predicted(pipe.unet, source) - aim).square().mean() < 0.5 * before


def test_what_cannot_be_trained(pipe, examples):
    with pytest.raises(ParameterError, match="at least one step"):
        fine_tune(pipe, examples, Schedule(0, 1e-3))
    pipe.scheduler.register_to_config(prediction_type="v_prediction")
    with pytest.raises(ParameterError, match="must predict noise"):
        fine_tune(pipe, examples, Schedule(1, 1e-3))
    pipe.scheduler.register_to_config(prediction_type="epsilon")
