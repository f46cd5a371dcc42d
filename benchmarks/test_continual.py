"""Task 2, fine-tuning: one backward pass for both losses against two, and the competition's network at its full size.

The first compares the loop's single backward pass with a plain reference that goes back once for the labels and once
for the teacher. The second fine-tunes timm's `tiny_vit_5m_224` (random weights, 102 outputs, 224 x 224 pixels) with the
notebook's own loop for a few steps.
"""

from __future__ import annotations

import numpy as np
import timm
import torch
from torch.nn import functional

from neoai_utils.continual import finetune, head, inference
from neoai_utils.continual.plan import TrainingPlan
from neoai_utils.runtime import peak_memory_mb

WEAK = [4, 5, 8, 12]
OLD = [number for number in range(102) if number not in WEAK]


def tiny_vit_5m() -> torch.nn.Module:
    """The competition's network at its full size, with random weights."""
    return timm.create_model("tiny_vit_5m_224", pretrained=False, num_classes=102, drop_path_rate=0.0).eval()


def test_one_backward_pass_gives_the_gradient_of_two(against):
    torch.manual_seed(0)
    model, teacher = (tiny_vit_5m() for _ in range(2))
    finetune.freeze_norm(model.train())  # in evaluation mode timm keeps attention biases, with their spent graph
    images, labels = torch.rand(4, 3, 224, 224) - 0.5, torch.tensor(WEAK)
    with torch.no_grad():
        goal = teacher(images)

    def together() -> torch.Tensor:
        model.zero_grad()
        logits = model(images)
        lesson = finetune.distillation(logits[:, OLD], goal[:, OLD], 2.0)
        (0.3 * functional.cross_entropy(logits, labels) + 0.7 * lesson).backward()
        return model.head.fc.weight.grad.clone()

    def apart() -> torch.Tensor:
        model.zero_grad()
        (0.3 * functional.cross_entropy(model(images), labels)).backward()
        (0.7 * finetune.distillation(model(images)[:, OLD], goal[:, OLD], 2.0)).backward()
        return model.head.fc.weight.grad.clone()

    found, expected = against("2 · one step of fine-tuning, 4 pictures", apart, together)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_cost_of_fine_tuning_at_full_size(growth):
    teacher = tiny_vit_5m()
    plan = TrainingPlan(
        epochs=1, learning_rate=2e-4, alpha=0.3, temperature=2.0, distil="old", frozen_norm=True, batch_size=8
    )

    def prepare(size):
        pixels = np.random.default_rng(0).integers(0, 256, (size, 3, 224, 224), dtype=np.uint8)
        labels = torch.tensor(WEAK).repeat_interleave(size // len(WEAK))
        start = head.imprint(teacher, inference.features(teacher, pixels), labels, OLD)

        def work():
            tuned = finetune.fine_tune(start, pixels, labels, plan, teacher=teacher, old=OLD)
            assert float((tuned.head.fc.weight - start.head.fc.weight).detach().abs().max()) > 0

        return work

    growth("2 · fine-tuning at full size, pictures", prepare, 8, rounds=1)
    print(f"\nfull size: peak memory of the process {peak_memory_mb() or 0:.0f} MB")
