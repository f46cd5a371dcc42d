"""The closed-form edit against the published fine-tune on the miniature, against a plain solver, and at full size.

Ratios are of one run and printed; nothing gates on seconds. The full-size part builds Stable Diffusion 1.5's own UNet
with random weights, edits it, and takes one step of the low-rank fine-tune in bf16 (fp16 on a GPU).
"""

from __future__ import annotations

import time

import pytest
import torch

from neoai_utils.diffusion import closed_form, finetune, prompts, texts, training
from neoai_utils.diffusion.finetune import Examples, Schedule
from neoai_utils.runtime import PeakMemory, pick_device
from tests.diffusion.test_full_size import UNET


def seconds(action) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


@pytest.fixture
def pipe():
    return training.committed_pipeline()


def states(pipe):
    horses = [text for word in prompts.HORSES for text in prompts.grid([word])]
    pigs = [text for _ in prompts.HORSES for text in prompts.grid(["pig"])]
    source, target = texts.paired_states(pipe, horses, pigs)
    with torch.no_grad():
        keep = texts.states(pipe, prompts.grid(prompts.KEPT)).flatten(0, 1)
    return source, target, keep


def test_the_closed_form_against_the_published_fine_tune(benchmark, pipe) -> None:
    source, target, keep = states(pipe)
    closed = min(seconds(lambda: closed_form.edit(pipe.unet, source, target, keep, 1.0)) for _ in range(3))
    examples = Examples(("a photo of a pig",), torch.randn(1, 4, 8, 8))
    tuned = seconds(lambda: finetune.fine_tune(pipe, examples, Schedule(660, 1e-4), share=0.5))
    benchmark.pedantic(lambda: closed_form.edit(pipe.unet, source, target, keep, 1.0), rounds=1, iterations=1)
    print(f"\nclosed form {closed:.2f} s, published fine-tune {tuned:.1f} s: {tuned / closed:.0f} times")


def test_the_closed_form_against_one_pair_at_a_time(benchmark, pipe) -> None:
    """The reference adds up each state's outer product by itself, as the papers' published code does."""
    source, target, keep = states(pipe)
    source, target, keep = source[:800], target[:800], keep[:800]
    weight = next(iter(closed_form.cross_attention(pipe.unet).values())).weight.detach()

    def plain():
        left = torch.eye(weight.shape[1], dtype=torch.double)
        right = weight.double().clone()
        for state, goal in (
            (*pair,) for pair in zip(torch.cat([source, keep]), torch.cat([target, keep]), strict=True)
        ):
            left += torch.outer(state, state).double()
            right += torch.outer(weight @ goal, state).double()
        return torch.linalg.solve(left, right.T).T.float()

    ours = benchmark.pedantic(lambda: closed_form.solve(weight, source, target, keep, 1.0), rounds=3, iterations=1)
    slow = seconds(lambda: torch.testing.assert_close(ours, plain(), atol=1e-3, rtol=1e-3))
    print(f"\nreference / ours: {slow / benchmark.stats['min']:.0f}")


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
        closed = seconds(lambda: closed_form.edit(unet, horse, pig, keep, 1.0))
    print(f"\nfull size, closed form over 16 layers: {closed:.1f} s, {memory.megabytes or 0:.0f} MB beside the weights")
    noising, latents = DDPMScheduler(**training.NOISE), torch.randn((1, 4, 64, 64), device=device)
    text = torch.randn((1, 77, 768), device=device)

    def step():
        with finetune.trained_weights(unet, "lora") as weights, torch.autocast(device.type, kind):
            noisy = noising.add_noise(latents, latents, torch.tensor([500], device=device))
            loss = unet(noisy, 500, text).sample.float().square().mean()
            loss.backward()
            assert all(values.grad is not None for values in weights)

    with PeakMemory(device) as memory:
        taken = seconds(lambda: benchmark.pedantic(step, rounds=1, iterations=1))
    print(
        f"full size, one step of low-rank fine-tuning: {taken:.1f} s, {memory.megabytes or 0:.0f} MB beside the weights"
    )
