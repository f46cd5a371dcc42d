"""Task 6: the closed-form edit against the published fine-tune on the miniature, a plain solver, and at full size.

The full-size part builds Stable Diffusion 1.5's own UNet with random weights, edits it, and takes one step of the
low-rank fine-tune in bf16 (fp16 on a GPU).
"""

from __future__ import annotations

import pytest
import torch

from benchmarks.conftest import timed
from neoai_utils.diffusion import closed_form, finetune, prompts, texts
from neoai_utils.diffusion.finetune import Examples
from neoai_utils.diffusion.miniature import committed, networks
from neoai_utils.diffusion.training import TrainingPlan, trainable_weights
from neoai_utils.runtime import PeakMemory, pick_device
from tests.diffusion.test_full_size import UNET


@pytest.fixture
def pipe():
    return committed.pipeline()


def some_states(pipe):
    horses = [text for word in prompts.HORSES for text in prompts.grid([word])]
    pigs = [text for _ in prompts.HORSES for text in prompts.grid(["pig"])]
    source, target = texts.paired_states(pipe, horses, pigs)
    with torch.no_grad():
        keep = texts.states(pipe, prompts.grid(prompts.KEPT)).flatten(0, 1)
    return source, target, keep


def test_the_closed_form_against_the_published_fine_tune(against, pipe) -> None:
    """The reference takes a tenth of the published 660 steps."""
    states = some_states(pipe)
    examples = Examples(("a photo of a pig",), torch.randn(1, 4, 8, 8))
    old, losses = against("6 · closed-form edit against 660 steps",
                          lambda: finetune.fine_tune(pipe, examples, TrainingPlan(66, 1e-4), share=0.5),
                          lambda: closed_form.edit(pipe.unet, *states, 1.0), part=0.1)  # fmt: skip
    assert len(old) == len(closed_form.key_value_projections(pipe.unet))
    assert len(losses) == 66


def test_the_closed_form_against_one_pair_at_a_time(against, pipe) -> None:
    """The reference adds up each state's outer product by itself, as the papers' published code does."""
    source, target, keep = (part[:800] for part in some_states(pipe))
    weight = next(iter(closed_form.key_value_projections(pipe.unet).values())).weight.detach()

    def plain():
        old = weight.double()
        left, right = torch.eye(old.shape[1], dtype=torch.double), old.clone()
        pairs = zip(torch.cat([source, keep]).double(), torch.cat([target, keep]).double(), strict=True)
        for state, goal in pairs:
            left += torch.outer(state, state)
            right += torch.outer(old @ goal, state)
        return torch.linalg.solve(left, right.T).T.float()

    ours, slow = against("6 · closed form of one layer, 1,600 states", plain,
                         lambda: closed_form.solve(weight, source, target, keep, 1.0))  # fmt: skip
    torch.testing.assert_close(ours, slow, atol=1e-3, rtol=1e-3)


def test_cost_of_the_closed_form(growth) -> None:
    """At Stable Diffusion's width, where states are many: 1x are those of 52 prompts of 77 positions."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(320, 768, generator=generator)

    def prepare(size):
        source, target, keep = torch.randn((3, size, 768), generator=generator)
        return lambda: closed_form.solve(weight, source, target, keep, 1.0)

    growth("6 · closed form of one layer, states", prepare, 4000)


def test_the_full_size_network_is_edited_and_tuned(benchmark) -> None:
    from diffusers import DDPMScheduler, UNet2DConditionModel

    device = pick_device()
    kind = torch.float16 if device.type == "cuda" else torch.bfloat16
    with torch.device("meta"):
        unet = UNet2DConditionModel(**UNET)
    unet = unet.to(kind).to_empty(device=device)
    for values in unet.parameters():
        values.data.normal_(0, 0.02)
    horse, pig, keep = (torch.randn((77 * count, 768), device=device) for count in (150, 150, 400))
    with PeakMemory(device) as memory:
        closed, _ = timed(lambda: closed_form.edit(unet, horse, pig, keep, 1.0))
    print(f"\nfull size, closed form over 16 layers: {closed:.1f} s, {memory.megabytes or 0:.0f} MB beside the weights")
    noising, latents = DDPMScheduler(**networks.NOISE), torch.randn((1, 4, 64, 64), device=device)
    text = torch.randn((1, 77, 768), device=device)

    def step():
        with trainable_weights(unet, "lora") as weights, torch.autocast(device.type, kind):
            noisy = noising.add_noise(latents, latents, torch.tensor([500], device=device))
            loss = unet(noisy, 500, text).sample.float().square().mean()
            loss.backward()
            assert all(values.grad is not None for values in weights)

    with PeakMemory(device) as memory:
        taken, _ = timed(lambda: benchmark.pedantic(step, rounds=1, iterations=1))
    print(
        f"full size, a step of low-rank fine-tuning: {taken:.1f} s, {memory.megabytes or 0:.0f} MB beside the weights"
    )
