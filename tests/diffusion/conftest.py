"""A pipeline of Stable Diffusion's own classes, small and untrained, for tests that need no trained one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline

from neoai_utils.diffusion.finetune import Examples
from neoai_utils.diffusion.generation import Sampling
from neoai_utils.diffusion.miniature import committed, networks

SMALL = networks.NetworkRecipe(
    pictures=64, text=(16, 1), judge=(16, 1), vae_widths=(8, 8, 8, 8), unet_widths=(16, 32), judge_epochs=2,
    clip_batch_size=16, vae_steps=30, vae_batch_size=8, unet_steps=40, unet_batch_size=16,
)  # fmt: skip
FAST = Sampling(steps=2, guidance=3.0, seed=1)
PIGS = ("a photo of a pig", "a sketch of a pig")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_parts():
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = committed.tokenizer(Path(folder))
    encoder = networks.make_text_encoder(SMALL, len(tokenizer)).eval()
    source = torch.Generator().manual_seed(0)  # versions of transformers initialise the weights in another order
    with torch.no_grad():
        for _, values in sorted(encoder.named_parameters()):
            if values.dim() > 1:
                values.normal_(0, 0.1, generator=source)
    return networks.make_autoencoder(SMALL).eval(), encoder, tokenizer


@pytest.fixture
def pipe(small_parts):
    """A pipeline whose UNet and text encoder may be changed."""
    vae, encoder, tokenizer = small_parts
    state = {name: values.clone() for name, values in encoder.state_dict().items()}
    made = StableDiffusionPipeline(
        vae=vae, text_encoder=encoder, tokenizer=tokenizer, unet=networks.make_unet(SMALL).eval(),
        scheduler=PNDMScheduler(**networks.NOISE, skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    with torch.no_grad():  # diffusers initialises the last layer near zero: the text would have no effect
        made.unet.conv_out.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    yield made
    encoder.load_state_dict(state)


@pytest.fixture
def examples():
    generator = torch.Generator().manual_seed(0)
    return Examples(PIGS, torch.randn((2, 4, 8, 8), generator=generator))
