"""Sparse autoencoders (SAEs) on the residual stream of the miniature's writer, trained by sae-lens.

An SAE writes a hidden state as a sum of few rows of a large dictionary: `encode` gives how strongly each latent is
active, `decode` adds up the rows `W_dec`. Ours keep the 24 strongest latents of a position (TopK: Gao et al. 2024,
"Scaling and evaluating sparse autoencoders", arXiv:2406.04093). They read passages that no test prompt comes from.
`python -m neoai_utils.steering.miniature.autoencoder` trains them and writes `data/`, in about a quarter of an hour.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neoai_utils.errors import AssetError
from neoai_utils.steering.features import hidden_states
from neoai_utils.steering.miniature import passages
from neoai_utils.storage import atomic_path, sha256_of

if TYPE_CHECKING:
    from sae_lens import SAE

    from neoai_utils.steering.generation import Writer

__all__ = ["DATA", "Training", "committed", "explained", "hub", "manifest", "positions", "train"]

DATA = Path(__file__).parent / "data"
_MANIFEST = DATA / "autoencoders.json"


@dataclass(frozen=True)
class Training:
    """Every constant that shapes the SAEs.

    Attributes:
        seed: of first weights and order.
        passages: how many are read, in both versions.
        layers: numbers of the blocks whose outputs are read, one SAE each.
        latents: rows of a dictionary.
        active: latents that may be active at a position.
        steps: of training.
        batch: positions in a step.
        rate: learning rate, falling to a tenth over the last third.
    """

    seed: int = 0
    passages: int = 1600
    layers: tuple[int, ...] = (16, 17, 18, 19, 20)
    latents: int = 1024
    active: int = 24
    steps: int = 600
    batch: int = 1024
    rate: float = 1e-3

    def checksum(self) -> str:
        """Return a hash of all constants and of the texts."""
        text = json.dumps([asdict(self), passages.SHA256], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _sae_lens() -> Any:
    """Import sae-lens without its chatter; it takes some seconds, so nobody imports it before it is needed."""
    os.environ.setdefault("WANDB_MODE", "disabled")
    os.environ.setdefault("WANDB_SILENT", "true")
    import sae_lens

    logging.getLogger("sae_lens").setLevel(logging.ERROR)
    return sae_lens


def train(states: Tensor, recipe: Training, layer: int) -> SAE[Any]:
    """Train an SAE on hidden states (positions, width) float32 and return it ready for use."""
    lens = _sae_lens()
    from sae_lens.config import LoggingConfig, SAETrainerConfig

    torch.manual_seed(recipe.seed)
    config = lens.TopKTrainingSAEConfig(
        d_in=states.shape[1], d_sae=recipe.latents, k=recipe.active, normalize_activations="expected_average_only_in",
        device="cpu", dtype="float32", apply_b_dec_to_input=True,
    )  # fmt: skip
    trainer = SAETrainerConfig(
        total_training_samples=recipe.steps * recipe.batch, train_batch_size_samples=recipe.batch, lr=recipe.rate,
        lr_end=recipe.rate / 10,  # the trainer stops without it, though the config does not ask for it
        lr_decay_steps=recipe.steps // 3, n_batches_for_norm_estimate=20, dead_feature_window=200,
        feature_sampling_window=500, device="cpu", n_checkpoints=0, logger=LoggingConfig(log_to_wandb=False),
    )  # fmt: skip
    sae = lens.SAETrainer(
        cfg=trainer, sae=lens.TopKTrainingSAE(config), data_provider=_endless(states, recipe)
    ).fit()  # fmt: skip
    import tempfile

    with tempfile.TemporaryDirectory() as folder:  # the way back folds the normalisation into the weights
        sae.save_inference_model(folder)
        done = lens.SAE.load_from_disk(folder, device="cpu")
    done.cfg.metadata.model_name = "SmolLM2-135M-Instruct"
    done.cfg.metadata.hook_name = f"blocks.{layer}.hook_resid_post"
    return done


def _endless(states: Tensor, recipe: Training) -> Iterator[Tensor]:
    random = torch.Generator().manual_seed(recipe.seed)
    while True:
        yield states[torch.randint(len(states), (recipe.batch,), generator=random)].float()


@torch.inference_mode()
def explained(sae: SAE[Any], states: Tensor) -> float:
    """Return the share of the variance of hidden states (positions, width) that the SAE rebuilds."""
    rest = states - sae.decode(sae.encode(states))
    return float(1 - rest.square().sum() / (states - states.mean(0)).square().sum())


@torch.inference_mode()
def positions(writer: Writer, texts: Sequence[str], layers: Sequence[int], batch: int = 64) -> dict[int, Tensor]:
    """Return block -> the hidden states of all positions but the first of each text, (positions, width) float16."""
    found: dict[int, list[Tensor]] = {layer: [] for layer in layers}
    for _, mask, states in hidden_states(writer, texts, layers, batch=batch):
        mask[:, 0] = 0
        for layer in layers:
            found[layer].append(states[layer][mask == 1].half().cpu())
    return {layer: torch.cat(parts) for layer, parts in found.items()}


def hub(release: str, name: str, device: str = "cpu", dtype: str = "float32") -> SAE[Any]:
    """Return an SAE of the hub, such as gemma-scope-2b-pt-res-canonical, layer_16/width_16k/canonical."""
    sae: SAE[Any] = _sae_lens().SAE.from_pretrained(release, name, device=device, dtype=dtype)
    return sae


def manifest() -> dict[str, Any]:
    """Return the manifest of the committed SAEs: recipe, checksums, what they explain, licence.

    Raises:
        AssetError: it is not there, as in an uploaded notebook, which carries no SAEs.
    """
    if not _MANIFEST.is_file():
        raise AssetError(
            f"{_MANIFEST} is missing: install neoai again. An uploaded notebook carries no SAEs of the miniature; it "
            "plays the competition's files, with those of the hub."
        )
    content: dict[str, Any] = json.loads(_MANIFEST.read_text(encoding="utf-8"))
    return content


def committed(layer: int) -> SAE[Any]:
    """Return the committed SAE of a block, float32.

    Raises:
        AssetError: there is none of this block, or its file does not have the manifest's checksum.
    """
    from safetensors.torch import load_file

    known, path = manifest(), DATA / f"autoencoder{layer}.safetensors"
    if str(layer) not in known["sha256"]:
        raise AssetError(f"there is no SAE of block {layer}; there are those of {', '.join(known['sha256'])}.")
    if not path.is_file() or sha256_of(path) != known["sha256"][str(layer)]:
        raise AssetError(f"{path} is missing or damaged: install neoai again.")
    lens = _sae_lens()
    sae: SAE[Any] = lens.SAE.from_dict(known["config"] | {"device": "cpu"})
    sae.load_state_dict({name: values.float() for name, values in load_file(path).items()})
    sae.cfg.metadata.hook_name = f"blocks.{layer}.hook_resid_post"
    return sae.eval()


def _commit(saes: dict[int, SAE[Any]], recipe: Training, shares: dict[int, float]) -> None:
    from safetensors.torch import save_file

    for layer, sae in saes.items():
        with atomic_path(DATA / f"autoencoder{layer}.safetensors") as temporary:
            save_file({name: values.half().contiguous() for name, values in sae.state_dict().items()}, temporary)
    config = next(iter(saes.values())).cfg.to_dict()
    content = {
        "recipe": asdict(recipe),
        "recipe_checksum": recipe.checksum(),
        "config": {key: value for key, value in config.items() if key not in ("metadata", "device")},
        "sha256": {str(layer): sha256_of(DATA / f"autoencoder{layer}.safetensors") for layer in saes},
        "explained": {str(layer): round(share, 3) for layer, share in shares.items()},
        "licence": "MIT, as neoai; trained on hidden states of SmolLM2-135M-Instruct (Apache-2.0); see README.md",
        "made_by": "python -m neoai_utils.steering.miniature.autoencoder",
    }
    with atomic_path(_MANIFEST) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Train the SAEs by the default recipe and commit them to `data/`."""
    from neoai_utils.steering.models import load_smollm

    recipe = Training()
    _, others = passages.pools(passages.load())
    texts = [p.prompt + rest for p in others[: recipe.passages] for rest in (p.human, p.machine)]
    states = positions(load_smollm(), texts, recipe.layers)
    saes, shares = {}, {}
    for layer in recipe.layers:
        saes[layer] = train(states[layer], recipe, layer)
        shares[layer] = explained(saes[layer], states[layer][:20_000].float())
        print(layer, shares[layer], flush=True)
    _commit(saes, recipe, shares)


if __name__ == "__main__":
    main()
