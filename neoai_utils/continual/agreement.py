"""A validation for a task without labelled pictures of the old classes: held-out weak pictures, and the teacher.

The labelled pictures show what a row has learnt, if each is judged by a network that was fitted without it
(`holding_out`). What a row has lost shows on unlabelled pictures: where the teacher is surest of an old class, it is
mostly right, so a row that decides otherwise is mostly wrong there. Neither half can be trusted alone. A network that
predicts weak classes only is best on the first, and the teacher itself on the second.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neoai_utils.errors import ParameterError
from neoai_utils.scores import Grades, bootstrap

__all__ = ["Agreement"]

_SUREST = 0.5  # of the unlabelled pictures


class Agreement:
    """Grades rows by held-out weak pictures and by the teacher's surest predictions."""

    def __init__(self, teacher_logits: Tensor, labels: Tensor) -> None:
        """Choose the half of the unlabelled pictures on which the teacher is surest of an old class.

        Args:
            teacher_logits: (n, classes) of the unlabelled pictures.
            labels: (m,) classes of the labelled pictures; these classes are weak, all others old.

        Raises:
            ParameterError: there is no unlabelled picture or no old class.
        """
        self.labels = torch.as_tensor(labels)
        weak = set(self.labels.tolist())
        old = torch.tensor(sorted(set(range(teacher_logits.shape[1])) - weak))
        if not len(teacher_logits) or not len(old):
            raise ParameterError("agreement needs unlabelled pictures and at least one old class.")
        sureness, columns = teacher_logits[:, old].softmax(dim=1).max(dim=1)
        self.rows = sureness.argsort(descending=True, stable=True)[: max(1, round(_SUREST * len(sureness)))]
        self.predicted = old[columns[self.rows]]
        self.weak_share = len(weak) / teacher_logits.shape[1]

    def examples(self, logits: Tensor, held_out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `grade` compares, as examples to fit a few numbers to (`head.bias_correction`).

        Args:
            logits: (n, classes) of the unlabelled pictures.
            held_out: (m, classes) of the labelled pictures.

        Returns:
            (k, classes) logits, (k,) classes, and (k,) weights, which sum to 1.
        """
        weak, old = len(self.labels), len(self.rows)
        weights = [self.weak_share / weak] * weak + [(1 - self.weak_share) / old] * old
        return (
            torch.cat([held_out, logits[self.rows]]), torch.cat([self.labels, self.predicted]), torch.tensor(weights)
        )  # fmt: skip

    def grade(self, logits: Tensor, held_out: Tensor) -> Grades:
        """Return an estimate of the accuracy over all classes.

        Each of the two accuracies counts as much as there are classes of its kind. The draws of the bootstrap are made
        within each kind.

        Args:
            logits: (n, classes) of the unlabelled pictures.
            held_out: (m, classes) of the labelled pictures, from networks that were fitted without them.

        Returns:
            The estimate as the score; as parts the `agreement` with the teacher where it is surest, and the accuracy on
            `held-out weak` pictures.
        """
        agrees = (logits[self.rows].argmax(dim=1) == self.predicted).numpy()
        correct = (held_out.argmax(dim=1) == self.labels).numpy()
        draws = self.weak_share * _draws(correct) + (1 - self.weak_share) * _draws(agrees)
        weak, old = float(correct.mean()), float(agrees.mean())
        score = self.weak_share * weak + (1 - self.weak_share) * old
        return Grades(score, {"agreement": old, "held-out weak": weak}, draws)


def _draws(correct: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of correct pictures in each draw of the bootstrap, (100,)."""
    return bootstrap(lambda counts: float(np.average(correct, weights=counts)), len(correct))
