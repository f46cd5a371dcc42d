"""The models that the competition fixes: the named ones, or a miniature's small ones.

The competition fixes the writer (google/gemma-2-2b), its SAEs (Gemma Scope, Lieberum et al. 2024, arXiv:2408.05147),
the detector (ReMoDetect) and the measure of content (all-MiniLM-L6-v2). A data folder that holds `settings.json` is a
miniature's: it also holds the detector and the SAEs (`saes/block16` and so on, as sae-lens saves them). Its writer
stays in its package, as it is 538 MB large; `settings.json` names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from neoai_utils import pretrained
from neoai_utils.errors import DataError
from neoai_utils.steering import autoencoders
from neoai_utils.steering.detector import Detector, load_classifier, read_detector
from neoai_utils.steering.encoder import Encoder, load_encoder
from neoai_utils.steering.generation import Sampling, Writer
from neoai_utils.steering.metric import Window

if TYPE_CHECKING:
    from sae_lens import SAE

__all__ = ["Settings", "Setup", "load_smollm", "load_writer", "open_setup", "sae_folder"]

_COMPETITION = Sampling(new_tokens=128, temperature=1.0, seed=0, batch=20)
_WINDOW = Window(-2.0, 2.0)
_LAYERS = (14, 15, 16, 17, 18)  # of the organisers' notebook
_RELEASE, _NAME = "gemma-scope-2b-pt-res-canonical", "layer_{}/width_16k/canonical"


@dataclass(frozen=True)
class Settings:
    """The content of a miniature's `settings.json`.

    Attributes:
        writer: a key of `WRITERS`, the language models that stay in their packages.
        layers: numbers of the blocks that have an SAE.
        sampling: how the writer samples.
    """

    FILE = "settings.json"

    writer: str
    layers: tuple[int, ...]
    sampling: Sampling

    def write(self, data_dir: Path) -> None:
        """Write the file into a miniature's data folder."""
        (data_dir / self.FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, data_dir: Path) -> Settings:
        """Read the file of a miniature's data folder.

        Raises:
            DataError: the file is missing or damaged, or names an unknown writer.
        """
        path = data_dir / cls.FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            layers = tuple(int(layer) for layer in content["layers"])
            settings = cls(str(content["writer"]), layers, Sampling(**content["sampling"]))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path} is missing or damaged: {error!r}. Build the miniature again.") from error
        if settings.writer not in WRITERS:
            raise DataError(f"{path} names the writer {settings.writer!r}; the library has {', '.join(WRITERS)}.")
        return settings


@dataclass(frozen=True)
class Setup:
    """Everything the competition fixes.

    Attributes:
        writer: the model that is steered.
        sampling: how it samples.
        detector: its scores must fall into the window.
        window: the human window.
        encoder: measures content.
        layers: numbers of the blocks that have an SAE and that the published solution steers.
        sae: number of a block -> its SAE.
    """

    writer: Writer
    sampling: Sampling
    detector: Detector
    window: Window
    encoder: Encoder
    layers: tuple[int, ...]
    sae: Callable[[int], SAE[Any]]


def open_setup(data_dir: Path, writer: str, detector: str, device: torch.device, *, dtype: str) -> Setup:
    """Return the models of a miniature's data folder; for other folders the named ones.

    Small files are asked for first, so that a missing model is reported before anything large is downloaded.

    Args:
        data_dir: the competition's folder or a miniature's.
        writer: hub name or folder of the language model; a miniature's settings name their own.
        detector: hub name or folder of the detector; a miniature brings its own.
        device: of the named models; a miniature's run on the CPU.
        dtype: number format of the writer, "bfloat16" or "float32".

    Raises:
        DataError: a file of the miniature is missing or damaged.
        AssetError: there is no model of that name, its licence was not accepted, or it is out of reach.
        OSError: a model's files are damaged (by transformers).
    """
    if (data_dir / Settings.FILE).exists():
        return _open_miniature(data_dir, dtype)
    from neoai_utils.offline.checkpoints import need

    def sae(layer: int) -> SAE[Any]:
        return autoencoders.from_hub(_RELEASE, _NAME.format(layer), str(device))

    need("sae_lens", purpose="reading the writer's sparse autoencoders")
    writer, detector = pretrained.find(writer, "writer"), pretrained.find(detector, "detector")
    encoder, classifier = load_encoder(), load_classifier(detector, device)  # the smaller ones first
    return Setup(load_writer(writer, dtype, device), _COMPETITION, classifier, _WINDOW, encoder, _LAYERS, sae)


def _open_miniature(data_dir: Path, dtype: str) -> Setup:
    settings = Settings.read(data_dir)
    probe, window = read_detector(data_dir / "detector")

    def sae(layer: int) -> SAE[Any]:
        return autoencoders.from_folder(sae_folder(data_dir, layer))

    writer = WRITERS[settings.writer](dtype)
    return Setup(writer, settings.sampling, probe, window, load_encoder(), settings.layers, sae)


def sae_folder(data_dir: Path, layer: int) -> Path:
    """Return the folder of a block's SAE in a miniature's data folder."""
    return data_dir / "saes" / f"block{layer}"


def load_smollm(dtype: str = "bfloat16") -> Writer:
    """Return SmolLM2-135M-Instruct out of its package; its texts start without special tokens, as raw prose.

    Raises:
        AssetError: the package is out of reach.
    """
    from neoai_utils.offline import load_smollm2

    model, tokenizer = load_smollm2()
    return Writer(model.to(getattr(torch, dtype)).eval(), tokenizer, add_special_tokens=False)


WRITERS = {"smollm2-135m": load_smollm}
"""Names that `settings.json` may give -> what loads the model in a number format."""


def load_writer(name: str, dtype: str = "bfloat16", device: torch.device | None = None) -> Writer:
    """Return a causal language model of the hub or of a folder, such as google/gemma-2-2b.

    Raises:
        OSError: there is no such model, or its licence was not accepted (by transformers).
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(name, dtype=getattr(torch, dtype))
    return Writer(model.to(device or "cpu").eval(), AutoTokenizer.from_pretrained(name))
