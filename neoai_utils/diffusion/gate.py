"""A gate and a linear map behind the text encoder: texts about one concept are read as texts about the other.

A linear edit of cross-attention must treat all texts by one matrix, so its effect on "mare" carries over, in part, to
"mule". Here the two questions are separated. Whether a text is about a horse is decided by a logistic regression on its
pooled state. Only then are its states changed, each by a matrix that was fitted to pairs of sentences: the minimum of
sum |W c - c*|^2 + strength |W - 1|^2, which is the edit of `closed_form` for an identity layer. A lexicon may decide
before the gate about texts that contain a sentence of known meaning.

No weight of the pipeline changes, nothing is trained by gradients, and a text that the gate rejects is read as before,
to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neoai_utils.arrays import Float32, Mask
from neoai_utils.diffusion.closed_form import solve
from neoai_utils.diffusion.lexicon import Lexicon
from neoai_utils.diffusion.texts import paired_states, pooled
from neoai_utils.errors import ParameterError
from neoai_utils.hooks import hooked

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from sklearn.pipeline import Pipeline

__all__ = ["Redirection", "fit", "passes_without_its_kind", "redirected"]


@dataclass(frozen=True)
class Redirection:
    """A fitted gate and map.

    Attributes:
        weight: (width,) float32, of the gate.
        bias: of the gate; a text with the pooled state s is redirected if weight s + bias is above 0.
        matrix: (width, width) float32, multiplied with every state of such a text.
        lexicon: decides about texts that contain one of its sentences, before the gate does; None: there is none.
    """

    weight: Tensor
    bias: float
    matrix: Tensor
    lexicon: Lexicon | None = None

    def log_odds(self, pooled_states: Tensor) -> Tensor:
        """Return the log-odds (n,) that texts with these pooled states, (n, width), are about the source concept."""
        return pooled_states.float() @ self.weight.to(pooled_states.device) + self.bias

    def passes(self, ids: Tensor, pooled_states: Tensor) -> Tensor:
        """Return (n,) bool: which texts are redirected.

        Args:
            ids: (n, length) token ids of the texts.
            pooled_states: (n, width) their pooled states.
        """
        learnt = self.log_odds(pooled_states) > 0
        if self.lexicon is None:
            return learnt
        known = [self.lexicon.asks_for_source(row) for row in ids.tolist()]
        decided = [bool(gate) if said is None else said for said, gate in zip(known, learnt.tolist(), strict=True)]
        return torch.tensor(decided, device=learnt.device)

    def with_lexicon(self, lexicon: Lexicon) -> Redirection:
        """Return the same gate and map behind a lexicon."""
        return replace(self, lexicon=lexicon)


@torch.no_grad()
def fit(
    pipe: StableDiffusionPipeline,
    pairs: Sequence[tuple[str, str]],
    others: Sequence[str],
    strength: float = 1.0,
) -> Redirection:
    """Fit the gate to source prompts against others, and the map to the pairs.

    Args:
        pipe: provides tokenizer and text encoder.
        pairs: (source prompt, target prompt).
        others: prompts to be read as before; the empty one, of classifier-free guidance, should be among them.
        strength: pull of the map towards the identity.

    Raises:
        ParameterError: there are no pairs or no others.
    """
    if not pairs or not others:
        raise ParameterError(f"need pairs and prompts to keep, got {len(pairs)} and {len(others)}.")
    paired, targets = zip(*pairs, strict=True)
    inputs = pooled(pipe, [*paired, *others]).float().cpu().numpy()
    scaler, regression = _classifier().fit(inputs, np.arange(len(inputs)) < len(paired))
    weight = regression.coef_[0] / scaler.scale_
    bias = float(regression.intercept_[0] - weight @ scaler.mean_)
    source, target = (values.float() for values in paired_states(pipe, paired, targets))
    identity = torch.eye(source.shape[1], device=source.device)
    matrix = solve(identity, source, target, source[:0], strength)
    return Redirection(torch.tensor(weight, dtype=torch.float32), bias, matrix)


def passes_without_its_kind(states: Float32, is_source: Mask, kinds: Sequence[str]) -> Mask:
    """Return for each text whether it passes a gate that was fitted to the texts of all other kinds.

    A kind is held out as a whole, so the result tells how the gate treats what nobody thought of.

    Args:
        states: (n, width) pooled states of the texts.
        is_source: (n) whether a text is about the source concept.
        kinds: (n) the kind of each text; two at least for either side.
    """
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

    passes: Mask = cross_val_predict(_classifier(), states, is_source, groups=kinds, cv=LeaveOneGroupOut())
    return passes


def _classifier() -> Pipeline:
    """Return an unfitted logistic regression on standardised states; either side has the same weight."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))


@contextmanager
def redirected(pipe: StableDiffusionPipeline, redirection: Redirection) -> Iterator[None]:
    """Apply a fitted gate and map behind the pipeline's text encoder, within the `with` block."""

    def hook(_module: object, inputs: Any, output: Any) -> Any:
        passes = redirection.passes(inputs[0], output.pooler_output)
        states = output.last_hidden_state
        moved = states.float() @ redirection.matrix.to(states.device).T
        output.last_hidden_state = torch.where(passes[:, None, None], moved.to(states.dtype), states)
        return output

    with hooked({pipe.text_encoder: hook}):
        yield
