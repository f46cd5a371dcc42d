"""The settings of a fine-tuning run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neoai_utils.errors import ParameterError

__all__ = ["TrainingPlan"]


@dataclass(frozen=True)
class TrainingPlan:
    """How to fine-tune.

    Attributes:
        epochs: passes over the pictures.
        learning_rate: AdamW's highest learning rate; it falls along a cosine to a fiftieth.
        head_learning_rate: of the last linear layer; None: the same.
        max_norm: greatest norm of the gradient.
        alpha: share of the labels' loss; the rest is distillation. 1 needs no teacher.
        temperature: of the distillation.
        distil: "all" logits, or only the "old" classes'.
        frozen_norm: normalise with BatchNorm's running statistics and do not update them.
        deform: also turn, zoom and shift the pictures at random (`augmentation.deform`).
        trained: "all" parameters, the "head" (last linear layer), or "lora": the head and low-rank changes W + BA of
            the transformer blocks' linear layers (Hu et al. 2021, 2106.09685).
        rank: of B and A.
        batch_size: pictures per step.
    """

    epochs: int = 100
    learning_rate: float = 5e-5
    head_learning_rate: float | None = None
    max_norm: float = 1.0
    alpha: float = 1.0
    temperature: float = 4.0
    distil: Literal["all", "old"] = "all"
    frozen_norm: bool = False
    deform: bool = False
    trained: Literal["all", "head", "lora"] = "all"
    rank: int = 8
    batch_size: int = 64

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.alpha <= 1:
            raise ParameterError(f"alpha must be between 0 and 1, got {self.alpha}.")
        if self.epochs < 0 or self.batch_size < 1:
            raise ParameterError("epochs must be 0 or more, batch_size 1 or more.")
        if min(self.learning_rate, self.max_norm, self.temperature, self.head_learning_rate or 1.0) <= 0:
            raise ParameterError("learning_rate, head_learning_rate, max_norm and temperature must be positive.")
