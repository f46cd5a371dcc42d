"""Who writes, who judges and who reads: the competition's models by name, or the miniature's small ones.

The competition fixes the writer (google/gemma-2-2b), its SAEs (Gemma Scope, Lieberum et al. 2024, arXiv:2408.05147),
the detector (ReMoDetect) and the measure of content (all-MiniLM-L6-v2). A data folder that holds a `detector` is a
miniature's, and gets the models that fit it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from neoai_utils import pretrained
from neoai_utils.steering import files
from neoai_utils.steering.detector import Detector, Encoder, load_classifier, load_encoder
from neoai_utils.steering.generation import Sampling, Writer
from neoai_utils.steering.miniature import autoencoder

if TYPE_CHECKING:
    from sae_lens import SAE

__all__ = ["SAMPLING", "Setting", "load_smollm", "load_writer", "open_setting"]

# The miniature's rule. The competition samples at temperature 1; a model of 135 million parameters writes
# word salad there, and what a detector then sees is no style.
SAMPLING = Sampling(new_tokens=28, temperature=0.7, seed=0, batch=96)
_COMPETITION = Sampling(new_tokens=128, temperature=1.0, seed=0, batch=20)
_WINDOW = files.Window(-2.0, 2.0)
_LAYERS = (14, 15, 16, 17, 18)  # of the organisers' notebook
_RELEASE, _NAME = "gemma-scope-2b-pt-res-canonical", "layer_{}/width_16k/canonical"


@dataclass(frozen=True)
class Setting:
    """Everything the competition fixes.

    Attributes:
        writer: the model that is steered.
        sampling: how it writes.
        detector: its scores must fall into the window.
        window: the human one.
        encoder: measures content.
        layers: numbers of the blocks that have an SAE and that the published solution steers.
        sae: number of a block -> its SAE.
    """

    writer: Writer
    sampling: Sampling
    detector: Detector
    window: files.Window
    encoder: Encoder
    layers: tuple[int, ...]
    sae: Callable[[int], SAE[Any]]


def open_setting(data_dir: Path, writer: str, detector: str, device: torch.device, *, dtype: str) -> Setting:
    """Return the miniature's models if `data_dir` holds a detector, else the named ones.

    Before anything large is fetched, small files tell whether the named models can be had at all.

    Raises:
        DataError: the miniature's detector is damaged.
        AssetError: there is no model of that name, its licence was not accepted, or it is out of reach.
        OSError: a model's files are damaged (by transformers).
    """
    from neoai_utils.offline.checkpoints import need

    judge: Detector
    if (Path(data_dir) / "detector").is_dir():
        judge, window = files.read_detector(data_dir)
        layers = tuple(autoencoder.Training().layers)
        small = load_smollm(dtype)
        return Setting(small, SAMPLING, judge, window, load_encoder(), layers, autoencoder.committed)

    def sae(layer: int) -> SAE[Any]:
        return autoencoder.hub(_RELEASE, _NAME.format(layer), str(device))

    need("sae_lens", purpose="reading the writer's sparse autoencoders")
    writer, detector = pretrained.find(writer, "writer"), pretrained.find(detector, "detector")
    encoder, judge = load_encoder(), load_classifier(detector, device)  # the smaller ones first
    return Setting(load_writer(writer, dtype, device), _COMPETITION, judge, _WINDOW, encoder, _LAYERS, sae)


def load_smollm(dtype: str = "bfloat16") -> Writer:
    """Return SmolLM2-135M-Instruct out of its package; texts stand without special tokens, as raw prose."""
    from neoai_utils.offline import load_smollm2

    model, tokenizer = load_smollm2()
    return Writer(model.to(getattr(torch, dtype)).eval(), tokenizer, special=False)


def load_writer(name: str, dtype: str = "bfloat16", device: torch.device | None = None) -> Writer:
    """Return a causal language model of the hub or of a folder, such as google/gemma-2-2b.

    Raises:
        OSError: there is no such model, or its licence was not accepted (by transformers).
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(name, dtype=getattr(torch, dtype))
    return Writer(model.to(device or "cpu").eval(), AutoTokenizer.from_pretrained(name))
