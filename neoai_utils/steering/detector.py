"""Detectors of machine-written text; their score must fall into the human window.

The competition's detector is ReMoDetect (Lee et al. 2024, arXiv:2405.17382), a DeBERTa reward model; `Classifier` runs
it. The miniature's detector is `Probe`, a logistic regression on hidden states of MiniLM, fitted to other texts. In
both, a high score means machine. A miniature hands out its detector as the folder `detector`, with
`probe.safetensors` and `window.json`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from neoai_utils.arrays import Float64
from neoai_utils.errors import DataError
from neoai_utils.runtime import refuse_nan
from neoai_utils.steering.encoder import LEVELS, Encoder, load_encoder
from neoai_utils.steering.generation import batches
from neoai_utils.steering.metric import Window

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Classifier", "Detector", "Probe", "load_classifier", "read_detector", "read_window", "write_detector"]

_MAX_LENGTH = 512
_PROBE, _WINDOW = "probe.safetensors", "window.json"


class Detector(Protocol):
    """Scores texts; the scores of human texts lie in a window."""

    def score(self, texts: Sequence[str]) -> Float64:
        """Return one score for each text, (n)."""
        ...


@dataclass(frozen=True)
class Probe:
    """Logistic regression on an encoder's early levels.

    Attributes:
        encoder: gives the features.
        weight: (3 * width) float32.
        bias: of the regression.
    """

    encoder: Encoder
    weight: Tensor
    bias: float

    def score(self, texts: Sequence[str]) -> Float64:
        """Return the log odds that a machine wrote each text, (n)."""
        scores: Float64 = (self.encoder.levels(texts) @ self.weight + self.bias).double().numpy()
        return scores

    @classmethod
    def fit(cls, encoder: Encoder, human: Sequence[str], machine: Sequence[str], strength: float) -> Probe:
        """Fit to texts of both kinds; `strength` is the inverse of the ridge penalty on standardised features."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        x = encoder.levels([*human, *machine]).double().numpy()
        scaler = StandardScaler().fit(x)
        is_machine = np.repeat([0, 1], [len(human), len(machine)])
        model = LogisticRegression(C=strength, max_iter=1000).fit(scaler.transform(x), is_machine)
        weight = model.coef_[0] / scaler.scale_
        return cls(encoder, torch.tensor(weight).float(), float(model.intercept_[0] - weight @ scaler.mean_))

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
            tensors = load_file(path)
            weight, bias = tensors["weight"], float(tensors["bias"][0])
        except (OSError, SafetensorError, KeyError, IndexError) as error:
            raise DataError(f"{path} is missing or is no probe (weight, bias): {error}. Build it again.") from error
        width = len(LEVELS) * encoder.model.config.hidden_size
        if weight.shape != (width,):
            raise DataError(f"{path}: weight must have the shape ({width},), this one has {tuple(weight.shape)}.")
        return cls(encoder, weight, bias)


@dataclass(frozen=True)
class Classifier:
    """A sequence classifier of `transformers` whose first logit is the score.

    Attributes:
        model: in evaluation mode.
        tokenizer: the model's.
        batch: texts at a time.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    batch: int = 8

    @torch.inference_mode()
    def score(self, texts: Sequence[str]) -> Float64:
        """Return the first raw logit of each text, (n); at most 512 tokens are read.

        Raises:
            NotANumberError: the model's output is NaN.
        """
        scores = np.zeros(len(texts))
        for indices in batches(texts, self.batch):
            tokens = self.tokenizer(
                [texts[i] for i in indices], return_tensors="pt", padding=True, truncation=True, max_length=_MAX_LENGTH
            ).to(self.model.device)
            logits = self.model(**tokens).logits[:, 0]
            refuse_nan(logits, "the detector's scores")
            scores[indices] = logits.double().cpu().numpy()
        return scores


def load_classifier(name: str, device: torch.device | None = None) -> Classifier:
    """Return a sequence classifier of the hub or of a folder, such as hyunseoki/ReMoDetect-deberta."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(name, dtype=torch.float32)
    return Classifier(model.to(device or "cpu").eval(), AutoTokenizer.from_pretrained(name))


def read_window(path: Path) -> Window:
    """Read `window.json`.

    Raises:
        DataError: the file is missing or damaged, or low is not below high.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        window = Window(float(content["low"]), float(content["high"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is missing or has no numbers low and high: {error!r}. Copy it again.") from error
    if not window.low < window.high:
        raise DataError(f"{path}: low ({window.low}) must be below high ({window.high}). Copy it again.")
    return window


def read_detector(folder: Path) -> tuple[Probe, Window]:
    """Read a miniature's detector and its window.

    Raises:
        DataError: a file is missing or damaged.
        AssetError: the package of the encoder is out of reach.
    """
    window = read_window(folder / _WINDOW)
    return Probe.load(load_encoder(max(LEVELS)), folder / _PROBE), window


def write_detector(probe: Probe, window: Window, folder: Path) -> None:
    """Make the folder of a miniature's detector."""
    folder.mkdir()
    probe.save(folder / _PROBE)
    (folder / _WINDOW).write_text(json.dumps(asdict(window)), encoding="utf-8")
