"""The committed networks: read with their tokenizer from `data/`, and put together into a pipeline and a judge."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from neoai_utils import small_clip
from neoai_utils.diffusion.miniature.networks import (
    NOISE,
    Network,
    NetworkRecipe,
    make_autoencoder,
    make_clip,
    make_text_encoder,
    make_unet,
)
from neoai_utils.diffusion.miniature.pictures import DATA
from neoai_utils.errors import AssetError
from neoai_utils.weights import Store

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPModel, PreTrainedTokenizerBase

__all__ = ["STORE", "TOKENIZER_FILES", "judge", "pipeline", "recipe", "text_encoder_names", "tokenizer"]

STORE = Store(DATA, "networks.json")
TOKENIZER_FILES = ("vocab.json", "merges.txt")


def recipe() -> NetworkRecipe:
    """Return the recipe that the committed networks were trained by."""
    fields = STORE.manifest()["recipe"].items()
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields}
    return NetworkRecipe(**values)


def tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Write the committed tokenizer into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        shutil.copyfile(STORE.folder / name, folder / name)
    return small_clip.load_tokenizer(folder, recipe().max_length)


def judge(vocabulary_size: int) -> CLIPModel:
    """Return the committed judge, float32."""
    model = make_clip(recipe(), "judge", vocabulary_size)
    _load(model, "judge")
    return model


def pipeline(networks: Sequence[Network] = ("text", "vae", "unet")) -> StableDiffusionPipeline:
    """Return a pipeline of the committed networks, float32; networks that are not named are untrained."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    constants = recipe()
    with tempfile.TemporaryDirectory() as folder:
        tokens = tokenizer(Path(folder))
    models: dict[Network, Any] = {
        "text": make_text_encoder(constants, len(tokens)),
        "vae": make_autoencoder(constants, STORE.manifest().get("scale", 1.0)),
        "unet": make_unet(constants),
    }
    for network in networks:
        _load(models[network], network)
    result: StableDiffusionPipeline = StableDiffusionPipeline(
        vae=models["vae"], text_encoder=models["text"], tokenizer=tokens, unet=models["unet"],
        scheduler=PNDMScheduler(**NOISE, skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    return result


def _load(model: nn.Module, network: Network) -> None:
    """Load a committed network into a model.

    Raises:
        AssetError: the committed file does not have the manifest's checksum, or does not fit the model.
    """
    state = STORE.load(network)
    if network == "text":
        state = text_encoder_names(model, state)
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any("position_ids" not in name for name in missing):
        raise AssetError(
            f"{STORE.path(network)} does not fit {type(model).__name__} of the installed version: "
            f"{[*missing, *unexpected][:3]}."
        )
    model.eval()


def text_encoder_names(encoder: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict with `CLIPTextModel`'s names: transformers 4 prefixes them by `text_model.`, 5 does not."""
    first = "text_model."
    prefix = first if any(name.startswith(first) for name in encoder.state_dict()) else ""
    return {prefix + name.removeprefix(first): values for name, values in state.items()}
