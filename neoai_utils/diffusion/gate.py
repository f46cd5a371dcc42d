"""A gate and a map behind the text encoder: texts about the one concept are read as texts about the other.

A linear edit of cross-attention has to treat all texts by one matrix, so what it does to "mare" it does, in part, to
"mule". Here the two questions are parted. Whether a text speaks of a horse is asked of the state that sums it up, by a
logistic regression. Only if so are its states changed, each by a matrix that was fitted to pairs of sentences: the
minimum of sum |W c - c*|^2 + strength |W - 1|^2, which is the edit of `closed_form` for a layer that does nothing.

No weight of the pipeline changes, nothing is trained by gradients, and a text that the gate does not let in is read, to
the last bit, as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neoai_utils.diffusion.closed_form import solve
from neoai_utils.diffusion.texts import paired_states, pooled
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["Redirection", "fit", "redirected"]


@dataclass(frozen=True)
class Redirection:
    """A fitted gate and map.

    Attributes:
        weight: (width,) of the gate.
        bias: of the gate; a text whose sum s has weight s + bias above 0, even odds, is redirected.
        matrix: (width, width), multiplied with every state of such a text.
    """

    weight: Tensor
    bias: float
    matrix: Tensor

    def odds(self, sums: Tensor) -> Tensor:
        """Return the log-odds (n,) that texts with these sums (n, width) speak of the source concept."""
        return sums.float() @ self.weight.to(sums.device) + self.bias


@torch.no_grad()
def fit(
    pipe: StableDiffusionPipeline,
    pairs: Sequence[tuple[str, str]],
    others: Sequence[str],
    strength: float = 1.0,
) -> Redirection:
    """Fit the gate to source prompts against others, and the map to the pairs.

    Args:
        pipe: whose text encoder is asked.
        pairs: (source prompt, target prompt).
        others: prompts to be read as before; the empty one, of classifier-free guidance, should be among them.
        strength: pull of the map towards leaving states alone.

    Raises:
        ParameterError: there are no pairs or no others.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if not pairs or not others:
        raise ParameterError(f"need pairs and prompts to keep, got {len(pairs)} and {len(others)}.")
    sources, targets = zip(*pairs, strict=True)
    sums = pooled(pipe, [*sources, *others]).float().cpu().numpy()
    inside = np.arange(len(sums)) < len(sources)
    scale, line = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    ).fit(sums, inside)  # fmt: skip
    weight = line.coef_[0] / scale.scale_
    bias = float(line.intercept_[0] - weight @ scale.mean_)
    source, target = (values.float() for values in paired_states(pipe, sources, targets))
    one = torch.eye(source.shape[1], device=source.device)
    matrix = solve(one, source, target, source[:0], strength)
    return Redirection(torch.tensor(weight, dtype=torch.float32), bias, matrix)


@contextmanager
def redirected(pipe: StableDiffusionPipeline, fitted: Redirection) -> Iterator[None]:
    """Let the pipeline's text encoder read by a fitted gate and map, within the `with` block."""

    def hook(_module: object, _inputs: object, output: Any) -> Any:
        inside = fitted.odds(output.pooler_output) > 0
        states = output.last_hidden_state
        moved = states.float() @ fitted.matrix.to(states.device).T
        output.last_hidden_state = torch.where(inside[:, None, None], moved.to(states.dtype), states)
        return output

    handle = pipe.text_encoder.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
