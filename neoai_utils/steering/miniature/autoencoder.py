"""The miniature's sparse autoencoders (SAEs) on the writer's residual stream, trained by sae-lens.

They keep the 24 strongest latents of a position (TopK: Gao et al. 2024, "Scaling and evaluating sparse autoencoders",
arXiv:2406.04093). They are trained on passages that no test prompt comes from. `python -m
neoai_utils.steering.miniature.autoencoder` trains them and writes `data/`, in about a quarter of an hour.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neoai_utils.steering.autoencoders import from_folder, import_sae_lens
from neoai_utils.steering.features import block_states
from neoai_utils.steering.miniature import passages
from neoai_utils.steering.models import load_smollm
from neoai_utils.weights import Store

if TYPE_CHECKING:
    from sae_lens import SAE

    from neoai_utils.steering.generation import Writer

__all__ = ["STORE", "AutoencoderRecipe", "checksums", "committed", "explained", "positions", "train"]

STORE = Store(Path(__file__).parent / "data", "autoencoders.json", "autoencoder{part}.safetensors")


@dataclass(frozen=True)
class AutoencoderRecipe:
    """Every constant that shapes the SAEs.

    Attributes:
        seed: of first weights and order.
        texts: SHA-256 of the committed passages.
        passages: how many are read, in both versions.
        layers: numbers of the blocks whose outputs are read, one SAE each.
        latents: rows of a dictionary.
        active: latents that may be active at a position.
        steps: of training.
        batch: positions in a step.
        learning_rate: falls to a tenth over the last third.
    """

    seed: int = 0
    texts: str = passages.SHA256
    passages: int = 1600
    layers: tuple[int, ...] = (16, 17, 18, 19, 20)
    latents: int = 1024
    active: int = 24
    steps: int = 600
    batch: int = 1024
    learning_rate: float = 1e-3


def checksums() -> tuple[str, ...]:
    """Return the SHA-256 of the committed SAEs' files, in the order of their blocks.

    Raises:
        AssetError: the manifest is not there.
    """
    return tuple(STORE.manifest()["sha256"].values())


def committed(layer: int) -> SAE[Any]:
    """Return the committed SAE of a block, float32.

    Raises:
        AssetError: there is none of this block, or its file does not have the manifest's checksum.
    """
    state = STORE.load(str(layer))
    sae: SAE[Any] = import_sae_lens().SAE.from_dict(STORE.manifest()["config"] | {"device": "cpu"})
    sae.load_state_dict(state)
    return _named(sae, layer).eval()


def train(states: Tensor, recipe: AutoencoderRecipe, layer: int) -> SAE[Any]:
    """Train an SAE on hidden states (positions, width) float32 and return it in the form for inference."""
    lens = import_sae_lens()
    from sae_lens.config import LoggingConfig, SAETrainerConfig

    torch.manual_seed(recipe.seed)
    config = lens.TopKTrainingSAEConfig(
        d_in=states.shape[1], d_sae=recipe.latents, k=recipe.active, normalize_activations="expected_average_only_in",
        device="cpu", dtype="float32", apply_b_dec_to_input=True,
    )  # fmt: skip
    trainer = SAETrainerConfig(
        total_training_samples=recipe.steps * recipe.batch, train_batch_size_samples=recipe.batch,
        lr=recipe.learning_rate, lr_end=recipe.learning_rate / 10,  # the trainer requires lr_end, the config does not
        lr_decay_steps=recipe.steps // 3, n_batches_for_norm_estimate=20, dead_feature_window=200,
        feature_sampling_window=500, device="cpu", n_checkpoints=0, logger=LoggingConfig(log_to_wandb=False),
    )  # fmt: skip
    sae = lens.SAETrainer(
        cfg=trainer, sae=lens.TopKTrainingSAE(config), data_provider=_random_batches(states, recipe)
    ).fit()  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:  # reloading folds the normalisation into the weights
        sae.save_inference_model(folder)
        return _named(from_folder(Path(folder)), layer)


def _named(sae: SAE[Any], layer: int) -> SAE[Any]:
    """Record in an SAE's metadata the model and the block that it belongs to."""
    sae.cfg.metadata.model_name = "SmolLM2-135M-Instruct"
    sae.cfg.metadata.hook_name = f"blocks.{layer}.hook_resid_post"
    return sae


def _random_batches(states: Tensor, recipe: AutoencoderRecipe) -> Iterator[Tensor]:
    rng = torch.Generator().manual_seed(recipe.seed)
    while True:
        yield states[torch.randint(len(states), (recipe.batch,), generator=rng)].float()


@torch.inference_mode()
def explained(sae: SAE[Any], states: Tensor) -> float:
    """Return the share of the variance of hidden states (positions, width) that the SAE reconstructs."""
    residual = states - sae.decode(sae.encode(states))
    return float(1 - residual.square().sum() / (states - states.mean(0)).square().sum())


@torch.inference_mode()
def positions(writer: Writer, texts: Sequence[str], layers: Sequence[int], batch: int = 64) -> dict[int, Tensor]:
    """Return block -> the hidden states of all positions but the first of each text, (positions, width) float16."""
    parts: dict[int, list[Tensor]] = {layer: [] for layer in layers}
    for _, mask, states in block_states(writer, texts, layers, batch=batch):
        mask[:, 0] = 0
        for layer in layers:
            parts[layer].append(states[layer][mask == 1].half().cpu())
    return {layer: torch.cat(values) for layer, values in parts.items()}


def main() -> None:
    """Train the SAEs by the default recipe and commit them to `data/`."""
    recipe = AutoencoderRecipe()
    _, training = passages.pools(passages.load())
    texts = [text for p in training[: recipe.passages] for text in (p.human_text, p.machine_text)]
    states = positions(load_smollm(), texts, recipe.layers)
    for layer in recipe.layers:
        sae = train(states[layer], recipe, layer)
        share = explained(sae, states[layer][:20_000].float())
        print(layer, share, flush=True)
        config = {key: value for key, value in sae.cfg.to_dict().items() if key not in ("metadata", "device")}
        STORE.save(
            str(layer), sae.state_dict(), recipe, config=config, explained={str(layer): round(share, 3)},
            licence="MIT, as neoai; trained on hidden states of SmolLM2-135M-Instruct (Apache-2.0); see README.md",
            made_by="python -m neoai_utils.steering.miniature.autoencoder",
        )  # fmt: skip


if __name__ == "__main__":
    main()
