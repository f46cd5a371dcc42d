"""AdamW for a fine-tuning run: only some parameters learn, the head at a rate of its own, all along a cosine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from neoai_utils.continual.plan import TrainingPlan

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["adamw", "cosine"]

_FINAL_SHARE = 0.02  # of the highest learning rate, at the end of the cosine


def adamw(student: TinyVit, plan: TrainingPlan) -> torch.optim.AdamW:
    """Return AdamW for the parameters that a plan trains; all others stop requiring gradients.

    Args:
        student: the network, with LoRA's parameters if the plan trains these.
        plan: names the trained part and the learning rates.
    """
    head = {id(values) for values in student.head.fc.parameters()}
    for name, values in student.named_parameters():
        trained = plan.trained == "all" or (plan.trained == "lora" and "lora_" in name)
        values.requires_grad_(trained or id(values) in head)
    body = [values for values in student.parameters() if values.requires_grad and id(values) not in head]
    head_rate = plan.head_learning_rate or plan.learning_rate
    groups = [{"params": list(student.head.fc.parameters()), "lr": head_rate}]
    return torch.optim.AdamW(groups + ([{"params": body}] if body else []), lr=plan.learning_rate, fused=True)


def cosine(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Let the learning rates fall to a fiftieth along half a cosine within `steps` steps."""

    def factor(step: int) -> float:
        return _FINAL_SHARE + (1 - _FINAL_SHARE) * (1 + math.cos(math.pi * step / max(steps, 1))) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
