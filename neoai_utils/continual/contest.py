"""The contest of the rows: each one is graded, validated without old pictures, and kept for the choice.

A row competes if there are logits of all test pictures, and of each labelled picture from a fit without it. So a
competitor is a function of the labelled pictures that it may use: a `Recipe` returns logits, a `Fit` a network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from neoai_utils.arrays import Integers, Picture
from neoai_utils.continual import inference
from neoai_utils.continual.agreement import Agreement
from neoai_utils.continual.holding_out import held_out_logits
from neoai_utils.runtime import stopwatch
from neoai_utils.scores import Grades, Role

if TYPE_CHECKING:
    import pandas as pd
    from timm.models.tiny_vit import TinyVit

__all__ = ["Contest", "Fit", "Recipe", "Recorder", "Watch"]

Recipe = Callable[[Integers], Tensor]
"""Rows (m,) of the labelled pictures to use -> logits (pictures, classes): of the test pictures, then of the labelled
ones."""

Watch = Callable[[int, "TinyVit"], None]
"""Called with (epochs done, network) after each epoch of a training."""


class Fit(Protocol):
    """Fits a network to some of the labelled pictures."""

    def __call__(self, rows: Integers, *, watch: Watch | None = None) -> TinyVit:
        """Return the network for the rows (m,) to use; `watch` is called after each epoch."""


class Recorder(Protocol):
    """The part of `neoai_utils.workspace.Workspace` that a contest uses."""

    @property
    def graded(self) -> bool:
        """Whether submissions can be graded."""

    def grade(self, frame: pd.DataFrame) -> Grades | None:
        """Return the grades of a submission; None without answers."""

    def record(
        self, name: str, submission: Any = None, *, validation: Grades | None = None, seconds: float | None = None,
        role: Role | None = None,
    ) -> object:  # fmt: skip
        """Grade a submission, or what a function returns, and add a row to the ladder."""


@dataclass
class Contest:
    """Plays rows, records them, and keeps what the choice among them needs.

    Attributes:
        workspace: grades submissions and has the ladder.
        as_submission: (n,) predicted classes of the test pictures -> the submission.
        train: (m, 3, side, side) uint8 labelled pictures.
        labels: (m,) int64 their classes.
        test: (n, 3, side, side) uint8 test pictures.
        agreement: validates the rows; None: no row competes.
        networks_compete: also validate networks, which takes three more fits of each.
        seed: of the parts into which the labelled pictures are split.
        predictions: row -> (n, classes) logits of the test pictures.
        held_outs: row -> (m, classes) logits of the labelled pictures, each from a fit without it.
        validations: row -> its validation; empty without an agreement.
        curves: network -> (epochs done, accuracy on old classes, accuracy on weak classes), see `follow`.
    """

    workspace: Recorder
    as_submission: Callable[[Integers], pd.DataFrame]
    train: Picture
    labels: Tensor
    test: Picture
    agreement: Agreement | None = None
    networks_compete: bool = False
    seed: int = 0
    predictions: dict[str, Tensor] = field(default_factory=dict, init=False)
    held_outs: dict[str, Tensor] = field(default_factory=dict, init=False)
    validations: dict[str, Grades] = field(default_factory=dict, init=False)
    curves: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict, init=False)

    def submission(self, logits: Tensor) -> pd.DataFrame:
        """Return the submission of (n, classes) logits of the test pictures."""
        return self.as_submission(logits.argmax(dim=1).numpy())

    def classified(self, model: TinyVit) -> pd.DataFrame:
        """Return the submission of a network."""
        return self.submission(inference.logits(model, self.test))

    def enter(
        self, name: str, logits: Tensor, held_out: Tensor, *, seconds: float | None = None, role: Role | None = None
    ) -> None:
        """Validate a row, record it and keep it for the choice.

        Args:
            name: the row.
            logits: (n, classes) of the test pictures.
            held_out: (m, classes) of the labelled pictures, each from a fit without it.
            seconds: time of the fit to all labelled pictures.
            role: "baseline" or "published".
        """
        self.predictions[name], self.held_outs[name] = logits, held_out
        if self.agreement is not None:
            self.validations[name] = self.agreement.grade(logits, held_out)
        validation = self.validations.get(name)
        self.workspace.record(name, self.submission(logits), validation=validation, seconds=seconds, role=role)

    def enter_head(self, name: str, recipe: Recipe) -> None:
        """Play a recipe with all labelled pictures and three times with two thirds of them, and enter the row."""
        count = len(self.test)
        with stopwatch() as timer:
            logits = recipe(np.arange(len(self.labels)))[:count]
        held_out = held_out_logits(
            self.labels, lambda rest, out: recipe(rest)[torch.as_tensor(count + out)], seed=self.seed
        )
        self.enter(name, logits, held_out, seconds=timer.seconds)

    def enter_network(
        self, name: str, fit: Fit, watch: Watch | None = None, role: Role | None = None, *, flip: bool = False
    ) -> TinyVit:
        """Fit a network to all labelled pictures and return it; enter its row, or record it where none competes.

        Args:
            name: the row.
            fit: fits a network. If networks compete, it is called three more times, with two thirds of the pictures.
            watch: called after each epoch of the first fit.
            role: "baseline" or "published".
            flip: average the logits with those of the mirrored pictures. Only networks that compete are read so.
        """
        with stopwatch() as timer:
            model = fit(np.arange(len(self.labels)), watch=watch)
        if not self.networks_compete:
            self.workspace.record(name, partial(self.classified, model), seconds=timer.seconds, role=role)
            return model
        read = partial(inference.logits, flip=flip)
        held_out = held_out_logits(self.labels, lambda rest, out: read(fit(rest), self.train[out]), seed=self.seed)
        self.enter(name, read(model, self.test), held_out, seconds=timer.seconds, role=role)
        return model

    def follow(self, name: str, start: TinyVit, every: int) -> Watch | None:
        """Return a function that grades a network in training; None where no answers are known.

        The accuracies are appended to `curves`. They take part in no decision.

        Args:
            name: the curve.
            start: the network before the training, graded at once.
            every: epochs between two grades.
        """

        def watch(epoch: int, model: TinyVit) -> None:
            grades = None if epoch % every else self.workspace.grade(self.classified(model))
            if grades is not None:
                self.curves.setdefault(name, []).append((epoch, grades.parts["old"], grades.parts["weak"]))

        if not self.workspace.graded:
            return None
        watch(0, start)
        return watch
