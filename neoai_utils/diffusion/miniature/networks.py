"""The small networks, untrained: every constant of their recipe, and models of the original's classes.

A `CLIPTextModel` with its tokenizer (the text half of a small CLIP), an `AutoencoderKL` that makes 8 x 8 latents of
64 x 64 pixels, as the original divides by 8, a `UNet2DConditionModel` that predicts noise, and a second, separate CLIP
that judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch

from neoai_utils import small_clip
from neoai_utils.diffusion.miniature import pictures

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPModel, CLIPTextModel

__all__ = [
    "NETWORKS", "NOISE", "Network", "NetworkRecipe", "make_autoencoder", "make_clip", "make_text_encoder", "make_unet",
]  # fmt: skip

Network = Literal["judge", "text", "vae", "unet"]
NETWORKS: tuple[Network, ...] = get_args(Network)
NOISE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
"""Stable Diffusion's noise schedule."""


@dataclass(frozen=True)
class NetworkRecipe:
    """Every constant that shapes the small networks.

    Attributes:
        seed: of pictures, weights and batches.
        pictures: drawn for each network.
        max_length: tokens of the longest text.
        vocabulary_size: tokens of the tokenizer.
        text: width and blocks of the text encoder.
        judge: width and blocks of the judge's vision tower.
        judge_epochs: passes over the pictures for the judge.
        text_epochs: the same for the text encoder. Its training stops early: a CLIP that has seen these few words for
            long maps all words for a horse to one state, and an edit of one would be an edit of all.
        clip_batch_size: pictures in a step of either CLIP.
        clip_learning_rate: the highest one of either CLIP.
        clip_weight_decay: of either CLIP.
        shown_tokens: patch tokens of a picture that a CLIP sees, in all epochs but the last.
        vae_widths: channels of the autoencoder's levels.
        latent_channels: of the autoencoder.
        vae_steps: gradient steps of the autoencoder.
        vae_batch_size: pictures in a step of the autoencoder.
        vae_learning_rate: the highest one of the autoencoder.
        kl_weight: of the Kullback-Leibler divergence in the autoencoder's loss.
        unet_widths: channels of the UNet's levels.
        unet_steps: gradient steps of the UNet.
        unet_batch_size: latents in a step of the UNet.
        unet_learning_rate: the highest one of the UNet.
        text_dropout: share of the UNet's training rows without text.
        snr_gamma: bound of the signal-to-noise ratio in the loss weights (min-SNR).
        ema_decay: of the exponential moving average of the UNet's weights.
    """

    seed: int = 6
    pictures: int = 16000
    max_length: int = 16
    vocabulary_size: int = 420
    text: tuple[int, int] = (96, 3)
    judge: tuple[int, int] = (64, 4)
    judge_epochs: int = 12
    text_epochs: int = 2
    clip_batch_size: int = 64
    clip_learning_rate: float = 2e-3
    clip_weight_decay: float = 0.05
    shown_tokens: int = 32
    vae_widths: tuple[int, ...] = (24, 48, 96, 96)
    latent_channels: int = 4
    vae_steps: int = 4000
    vae_batch_size: int = 32
    vae_learning_rate: float = 2e-3
    kl_weight: float = 1e-5
    unet_widths: tuple[int, ...] = (64, 112)
    unet_steps: int = 4500
    unet_batch_size: int = 128
    unet_learning_rate: float = 1.2e-3
    text_dropout: float = 0.1
    snr_gamma: float = 5.0
    ema_decay: float = 0.999


def make_clip(recipe: NetworkRecipe, network: Literal["judge", "text"], vocabulary_size: int) -> CLIPModel:
    """Make the untrained judge, or the CLIP whose text half becomes the text encoder."""
    return small_clip.make_model(
        vocabulary=vocabulary_size, length=recipe.max_length, text=recipe.text,
        vision=recipe.judge if network == "judge" else (48, 2), side=pictures.SIDE, patch=pictures.SIDE // 8, shared=64,
        seed=recipe.seed + NETWORKS.index(network),
    )  # fmt: skip


def make_text_encoder(recipe: NetworkRecipe, vocabulary_size: int) -> CLIPTextModel:
    """Make the untrained text encoder."""
    from transformers import CLIPTextModel

    return CLIPTextModel(make_clip(recipe, "text", vocabulary_size).config.text_config)


def make_autoencoder(recipe: NetworkRecipe, scaling_factor: float = 1.0) -> AutoencoderKL:
    """Make the untrained autoencoder; the scaling factor brings its latents to a standard deviation of 1."""
    from diffusers import AutoencoderKL

    torch.manual_seed(recipe.seed)
    levels = len(recipe.vae_widths)
    return AutoencoderKL(
        latent_channels=recipe.latent_channels, block_out_channels=recipe.vae_widths, layers_per_block=1,
        norm_num_groups=8, down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels, sample_size=pictures.SIDE, scaling_factor=scaling_factor,
    )  # fmt: skip


def make_unet(recipe: NetworkRecipe) -> UNet2DConditionModel:
    """Make the untrained network that predicts noise: two levels with cross-attention, and one between them."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(recipe.seed)
    channels = recipe.latent_channels
    return UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=channels, layers_per_block=1,
        block_out_channels=recipe.unet_widths, norm_num_groups=16, down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2, cross_attention_dim=recipe.text[0], attention_head_dim=8,
    )  # fmt: skip
