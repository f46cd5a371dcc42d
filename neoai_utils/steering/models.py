"""The models that the competition fixes: the named ones, or a miniature's small ones.

The competition fixes the writer (google/gemma-2-2b), its SAEs (Gemma Scope, Lieberum et al. 2024, arXiv:2408.05147),
the detector (ReMoDetect) and the measure of content (all-MiniLM-L6-v2). A data folder that holds `settings.json` is a
miniature's: it also holds the detector and the SAEs (`saes/block16` and so on, as sae-lens saves them). Its writer
stays in its package, as it is 538 MB large; `settings.json` names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
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
from neoai_utils.steering.precision import writer_dtype

if TYPE_CHECKING:
    from sae_lens import SAE

__all__ = ["Settings", "Setup", "load_smollm", "load_writer", "open_setup", "sae_folder"]

_COMPETITION = Sampling(new_tokens=128, temperature=1.0, seed=0, batch=64)
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


def open_setup(
    data_dir: Path,
    writer: str,
    detector: str,
    device: torch.device,
    *,
    dtype: str = "",
    saes: str = "",
    new_tokens: int | None = None,
) -> Setup:
    """Return the models of a miniature's data folder; for other folders the named ones.

    Small files are asked for first, so that a missing model is reported before anything large is downloaded.

    Args:
        data_dir: the competition's folder or a miniature's.
        writer: hub name or folder of the language model; a miniature's settings name their own.
        detector: hub name or folder of the detector; a miniature brings its own.
        device: of the named models; a miniature's run on the CPU.
        dtype: number format of the writer, "bfloat16", "float16" or "float32"; empty: what the device computes fast, in
            a miniature always bfloat16.
        saes: folder of the named writer's SAEs (`block14` and so on, as sae-lens saves them); empty: Gemma Scope from
            the hub. They are loaded one at a time, when `sae` is called.
        new_tokens: of each text; None: 128, or what the miniature's settings say.

    Raises:
        DataError: a file of the miniature is missing or damaged, or the folder of SAEs lacks one.
        AssetError: there is no model of that name, its licence was not accepted, or it is out of reach.
        OSError: a model's files are damaged (by transformers).
    """
    if (data_dir / Settings.FILE).exists():
        setup = _open_miniature(data_dir, dtype or "bfloat16")
    else:
        sae = _sae_reader(saes, device)
        writer, detector = pretrained.find(writer, "writer"), pretrained.find(detector, "detector")
        encoder, classifier = load_encoder(), load_classifier(detector, device)  # the smaller ones first
        encoder.model.to(device)
        model = load_writer(writer, dtype or writer_dtype(device), device)
        setup = Setup(model, _COMPETITION, classifier, _WINDOW, encoder, _LAYERS, sae)
    sampling = replace(setup.sampling, new_tokens=new_tokens or setup.sampling.new_tokens)
    return replace(setup, sampling=sampling)


def _open_miniature(data_dir: Path, dtype: str) -> Setup:
    settings = Settings.read(data_dir)
    probe, window = read_detector(data_dir / "detector")

    def sae(layer: int) -> SAE[Any]:
        return autoencoders.from_folder(sae_folder(data_dir, layer))

    writer = WRITERS[settings.writer](dtype)
    return Setup(writer, settings.sampling, probe, window, load_encoder(), settings.layers, sae)


def _sae_reader(saes: str, device: torch.device) -> Callable[[int], SAE[Any]]:
    """Return what loads the SAE of a block of Gemma 2 2B, from a folder or from the hub.

    Raises:
        DataError: the folder lacks the SAE of a block.
    """
    if not saes:
        return lambda layer: autoencoders.from_hub(_RELEASE, _NAME.format(layer), str(device))
    folder = Path(saes).expanduser()
    missing = [f"block{layer}" for layer in _LAYERS if not (folder / f"block{layer}" / "cfg.json").is_file()]
    if missing:
        raise DataError(
            f"{folder} lacks the sparse autoencoders {', '.join(missing)} (folders that sae-lens saved). Name the "
            "folder that holds them in the parameter saes, or leave it empty to download Gemma Scope from the hub."
        )
    return lambda layer: autoencoders.from_folder(folder / f"block{layer}", str(device))


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
