"""Fine-tuning on pictures: what it replaces, what it minimises, and what it keeps."""

from __future__ import annotations

import pytest
import torch

from neoai_utils.diffusion import finetune
from neoai_utils.diffusion.finetune import Examples, draw_examples, fine_tune, replace_word
from neoai_utils.diffusion.texts import states
from neoai_utils.diffusion.training import TrainingPlan
from tests.diffusion.conftest import FAST, PIGS


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
    examples = draw_examples(pipe, PIGS, FAST)
    assert examples.prompts == PIGS
    assert examples.latents.shape == (2, 4, 8, 8)
    assert torch.isfinite(examples.latents).all()


def test_fine_tuning_learns_its_examples(pipe, examples):
    losses = fine_tune(pipe, examples, TrainingPlan(40, 1e-2, batch_size=4), words=("horse", "mare"), share=0.5)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert not any(values.requires_grad for values in pipe.unet.parameters())


def test_a_share_of_zero_never_says_horse(pipe, examples, monkeypatch):
    texts = []
    monkeypatch.setattr(finetune, "states", lambda pipe, prompts: texts.extend(prompts) or states(pipe, prompts))
    fine_tune(pipe, examples, TrainingPlan(5, 1e-4, batch_size=4), share=0.0)
    assert set(texts) <= set(PIGS)
    fine_tune(
        pipe,
        examples,
        TrainingPlan(5, 1e-4, batch_size=4),
        words=("mare",),
        prior=Examples(("star",), examples.latents[:1]),
    )
    assert {"a photo of a mare", "star"} <= set(texts)
