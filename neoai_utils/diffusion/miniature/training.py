"""Training of the small networks on composed pictures: the miniature's `stable-diffusion-v1-5` and its judge.

The UNet is trained with text dropped in a tenth of the rows for classifier-free guidance (Ho and Salimans 2022,
2207.12598), losses weighted by min-SNR (Hang et al. 2023, 2303.09556) and an exponential moving average of its weights.

`python -m neoai_utils.diffusion.miniature.training` trains the four networks and writes them into `data/` with the
recipe; a network's name as an argument trains that one alone. It takes minutes on a GPU and hours on two cores.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils import small_clip
from neoai_utils.diffusion import prompts
from neoai_utils.diffusion.miniature import committed, concepts, pictures
from neoai_utils.diffusion.miniature.networks import (
    NETWORKS,
    NOISE,
    Network,
    NetworkRecipe,
    make_autoencoder,
    make_clip,
    make_text_encoder,
    make_unet,
)
from neoai_utils.runtime import pick_device

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPModel, CLIPTextModel, PreTrainedTokenizerBase

__all__ = ["draw_pictures", "make", "train_autoencoder", "train_unet"]


def draw_pictures(recipe: NetworkRecipe, network: Network) -> tuple[Tensor, list[pictures.Scene]]:
    """Draw the pictures that a network learns from, (pictures, 3, 64, 64) uint8, and their scenes."""
    rng = np.random.default_rng((recipe.seed, NETWORKS.index(network)))
    scenes = [pictures.random_scene(rng) for _ in range(recipe.pictures)]
    pixels = np.stack([pictures.compose(scene, rng) for scene in scenes])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), scenes


# --------------------------------------------------------------------------------------------------- the two CLIPs


def _train_clip(
    recipe: NetworkRecipe, network: Literal["judge", "text"], folder: Path, device: torch.device
) -> tuple[CLIPModel, list[float]]:  # fmt: skip
    """Train the judge, or the CLIP whose text half becomes the text encoder; the judge learns noise as well."""
    pixels, scenes = draw_pictures(recipe, network)
    rng = np.random.default_rng((recipe.seed, NETWORKS.index(network), 1))
    captions = [concepts.caption(scene.concept, scene.style, scene.ground, rng) for scene in scenes]
    if network == "judge":
        noise = torch.randint(0, 256, (len(pixels) // 40, *pixels.shape[1:]), dtype=torch.uint8)
        pixels, captions = torch.cat([pixels, noise]), [*captions, *["noise"] * len(noise)]
    tokenizer = _tokenizer(recipe, folder)
    model = make_clip(recipe, network, len(tokenizer)).to(device)
    epochs = recipe.judge_epochs if network == "judge" else recipe.text_epochs
    losses = small_clip.train(
        model, tokenizer, pixels, captions, epochs=epochs, batch=recipe.clip_batch_size,
        learning_rate=recipe.clip_learning_rate, weight_decay=recipe.clip_weight_decay,
        shown_tokens=recipe.shown_tokens, seed=recipe.seed,
    )  # fmt: skip
    return model, losses


def _train_text_encoder(recipe: NetworkRecipe, folder: Path, device: torch.device) -> tuple[CLIPTextModel, list[float]]:
    """Train a CLIP and return its text half."""
    model, losses = _train_clip(recipe, "text", folder, device)
    encoder = make_text_encoder(recipe, model.config.text_config.vocab_size)
    encoder.load_state_dict(committed.text_encoder_names(encoder, model.text_model.state_dict()))
    return encoder.eval(), losses


def _tokenizer(recipe: NetworkRecipe, folder: Path) -> PreTrainedTokenizerBase:
    """Return the committed tokenizer; train and commit it if there is none.

    It is trained once for all networks: the tokenizers library breaks ties between merges at random.
    """
    data = committed.STORE.folder
    if not (data / committed.TOKENIZER_FILES[0]).is_file():
        small_clip.make_tokenizer([*_all_texts(), "noise"], folder, recipe.max_length, recipe.vocabulary_size)
        for name in committed.TOKENIZER_FILES:
            shutil.copyfile(folder / name, data / name)
    for name in committed.TOKENIZER_FILES:
        shutil.copyfile(data / name, folder / name)
    return small_clip.load_tokenizer(folder, recipe.max_length)


def _all_texts() -> list[str]:
    """Return every word of every concept in some prompt, so that the tokenizer is trained on them all."""
    words = [word for concept in concepts.CONCEPTS for word in concept.words]
    grounds = list(concepts.GROUNDS)
    styled = [
        prompts.sentence(word, style, grounds[(i + j) % len(grounds)])
        for i, word in enumerate(words)
        for j, style in enumerate(prompts.STYLES)
    ]
    return [*words, *styled]


# --------------------------------------------------------------------------------------------------- the autoencoder


def train_autoencoder(vae: AutoencoderKL, pixels: Tensor, recipe: NetworkRecipe, *, every: int = 100) -> list[float]:
    """Train in place, where the model is, on pixels, their edges and a small divergence.

    Args:
        vae: changed in place.
        pixels: (pictures, 3, 64, 64) uint8.
        recipe: the constants.
        every: steps that one returned loss is the mean of.
    """
    optimizer = torch.optim.AdamW(vae.parameters(), recipe.vae_learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.vae_learning_rate, total_steps=recipe.vae_steps, pct_start=0.1
    )
    torch.manual_seed(recipe.seed)
    vae.train()
    pixels = pixels.to(vae.device)
    losses = []
    for _ in range(recipe.vae_steps):
        rows = torch.randint(len(pixels), (recipe.vae_batch_size,), device=vae.device)
        target = _scaled(pixels[rows])
        latents = vae.encode(target).latent_dist
        decoded = vae.decode(latents.sample()).sample
        edges = sum(functional.l1_loss(decoded.diff(dim=d), target.diff(dim=d)) for d in (2, 3))
        loss = functional.mse_loss(decoded, target) + functional.l1_loss(decoded, target) + edges
        losses.append(loss.detach())
        _step(loss + recipe.kl_weight * latents.kl().mean(), vae, optimizer)
        schedule.step()
    vae.eval()
    return _means(losses, every)


def _scaled(pixels: Tensor) -> Tensor:
    """Scale uint8 pixels to the input of an autoencoder, -1 to 1."""
    return pixels.float() / 127.5 - 1


def _step(loss: Tensor, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def _means(losses: Sequence[Tensor], every: int) -> list[float]:
    return [float(part.mean()) for part in torch.split(torch.stack(list(losses)), every)]


@torch.no_grad()
def _encode(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    """Return the means of the latents, (pictures, channels, 8, 8) float32, not yet scaled."""
    return torch.cat([vae.encode(_scaled(part.to(vae.device))).latent_dist.mean for part in torch.split(pixels, 64)])


# ---------------------------------------------------------------------------------------------------------- the UNet


def train_unet(
    unet: UNet2DConditionModel,
    latents: Tensor,
    states: Tensor,
    captions: Tensor,
    recipe: NetworkRecipe,
    *,
    every: int = 100,
) -> list[float]:
    """Train in place on scaled latents; the network ends with the moving average of its weights.

    Args:
        unet: changed in place.
        latents: (pictures, channels, 8, 8).
        states: (texts, tokens, width) of the text encoder; the first text is empty.
        captions: (pictures, k) int64, k captions of each picture by their rows in `states`.
        recipe: the constants.
        every: steps that one returned loss is the mean of.
    """
    from diffusers import DDPMScheduler
    from diffusers.training_utils import EMAModel, compute_snr

    device, size = unet.device, recipe.unet_batch_size
    latents, states, captions = (values.to(device) for values in (latents, states, captions))
    scheduler = DDPMScheduler(**NOISE)
    optimizer = torch.optim.AdamW(unet.parameters(), recipe.unet_learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.unet_learning_rate, total_steps=recipe.unet_steps, pct_start=0.05
    )
    torch.manual_seed(recipe.seed)
    average = EMAModel(unet.parameters(), decay=recipe.ema_decay)
    unet.train()
    losses = []
    for _ in range(recipe.unet_steps):
        rows = torch.randint(len(latents), (size,), device=device)
        texts = captions[rows, torch.randint(captions.shape[1], (size,), device=device)]
        texts = torch.where(torch.rand(size, device=device) < recipe.text_dropout, 0, texts)
        times = torch.randint(1000, (size,), device=device)
        noise = torch.randn_like(latents[rows])
        predicted = unet(scheduler.add_noise(latents[rows], noise, times), times, states[texts]).sample
        weight = (recipe.snr_gamma / compute_snr(scheduler, times)).clamp(max=1)
        loss = ((predicted - noise).square().mean(dim=(1, 2, 3)) * weight).mean()
        _step(loss, unet, optimizer)
        schedule.step()
        losses.append(loss.detach())
        average.step(unet.parameters())
    average.copy_to(unet.parameters())
    unet.eval()
    return _means(losses, every)


@torch.no_grad()
def _text_states(encoder: CLIPTextModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Tensor:
    tokens = tokenizer(
        list(texts), padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
    )
    return torch.cat([encoder(part)[0] for part in torch.split(tokens["input_ids"], 256)])


def _train_unet(recipe: NetworkRecipe, device: torch.device) -> tuple[UNet2DConditionModel, list[float]]:
    """Train on the committed autoencoder and text encoder, with eight captions of each picture."""
    pipeline = committed.pipeline(("text", "vae"))
    pixels, scenes = draw_pictures(recipe, "unet")
    latents = _encode(pipeline.vae.to(device), pixels) * pipeline.vae.config.scaling_factor
    rng = np.random.default_rng((recipe.seed, 4))
    captions = [[concepts.caption(s.concept, s.style, s.ground, rng) for _ in range(8)] for s in scenes]
    texts = ["", *sorted({text for line in captions for text in line} - {""})]
    rows = {text: row for row, text in enumerate(texts)}
    caption_rows = torch.tensor([[rows[text] for text in line] for line in captions])
    unet = make_unet(recipe).to(device)
    states = _text_states(pipeline.text_encoder, pipeline.tokenizer, texts)
    return unet, train_unet(unet, latents, states, caption_rows, recipe)


# -------------------------------------------------------------------------------------------------------- all of them


def make(network: Network, recipe: NetworkRecipe, device: torch.device) -> None:
    """Train a network and write it into `data/`; the UNet needs text encoder and autoencoder there."""
    with tempfile.TemporaryDirectory() as name:
        if network == "judge":
            _save(network, *_train_clip(recipe, network, Path(name), device), recipe)
        elif network == "text":
            _save(network, *_train_text_encoder(recipe, Path(name), device), recipe)
        elif network == "unet":
            _save(network, *_train_unet(recipe, device), recipe)
        else:
            vae = make_autoencoder(recipe).to(device)
            pixels, _ = draw_pictures(recipe, network)
            losses = train_autoencoder(vae, pixels, recipe)
            _save(network, vae, losses, recipe, scale=round(1 / float(_encode(vae, pixels[:1024]).std()), 5))


def _save(network: Network, model: nn.Module, losses: list[float], recipe: NetworkRecipe, **facts: Any) -> None:
    committed.STORE.save(
        network, dict(model.named_parameters()), recipe, losses={network: [round(loss, 4) for loss in losses]},
        licence="Apache-2.0 and MIT: trained on Noto and Fluent emoji; see README.md",
        made_by="python -m neoai_utils.diffusion.miniature.training", **facts,
    )  # fmt: skip


def main(names: Sequence[str]) -> None:
    """Train the named networks, or all of them, by the default recipe and commit them to `data/`."""
    for network in NETWORKS:
        if not names or network in names:
            make(network, NetworkRecipe(), pick_device())
            print(network, committed.STORE.manifest()["losses"][network][-1])


if __name__ == "__main__":
    main(sys.argv[1:])
