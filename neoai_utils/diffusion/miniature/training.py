"""A small Stable Diffusion and its judge, trained on composed pictures: the miniature's `stable-diffusion-v1-5`.

All parts are the original's classes: a `CLIPTextModel` with its tokenizer (the text half of a small CLIP), an
`AutoencoderKL` that makes 8 x 8 latents of 64 x 64 pixels, as the original divides by 8, a `UNet2DConditionModel` that
predicts noise, with text dropped in a tenth of the steps for classifier-free guidance (Ho and Salimans 2022,
2207.12598), losses weighted by min-SNR (Hang et al. 2023, 2303.09556) and an average of its weights; and a second,
separate CLIP that judges.

`python -m neoai_utils.diffusion.miniature.training` trains the four parts and writes them into `data/` with the recipe;
a part's name as an argument trains that part alone. It takes minutes on a GPU and hours on two cores.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils import small_clip
from neoai_utils.diffusion import prompts
from neoai_utils.diffusion.miniature import concepts, pictures
from neoai_utils.errors import AssetError
from neoai_utils.runtime import pick_device
from neoai_utils.storage import atomic_path, sha256_of

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPModel, CLIPTextModel, PreTrainedTokenizerBase

__all__ = [
    "NOISE", "PARTS", "Part", "Training", "committed_judge", "committed_pipeline", "committed_recipe",
    "committed_tokenizer", "draw_pictures", "make", "make_autoencoder", "make_clip", "make_text_encoder", "make_unet",
    "manifest", "train_autoencoder", "train_unet",
]  # fmt: skip

Part = Literal["judge", "text", "vae", "unet"]
PARTS: tuple[Part, ...] = get_args(Part)
MANIFEST = pictures.DATA / "networks.json"
_TOKENIZER = ("vocab.json", "merges.txt")
NOISE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@dataclass(frozen=True)
class Training:
    """Every constant that shapes the small networks.

    Attributes:
        pictures: drawn for each part.
        length: tokens of the longest text.
        vocabulary: pieces of the tokenizer.
        text: width and blocks of the text encoder.
        judge: width and blocks of the half of the judge that sees.
        clip_epochs: of the judge.
        text_epochs: of the text encoder. It is let go early: a CLIP that has seen these few words for long takes
            all words for a horse for one and the same, and an edit of one would be an edit of all.
        vae_widths: channels of the autoencoder's levels.
        latent: channels of the latents.
        widths: channels of the UNet's levels.
        steps: of the UNet.
        dropped: share of the steps without text.
        snr: bound of the losses' weights.
        average: how much of the running average of weights is kept in a step.
    """

    seed: int = 6
    pictures: int = 16000
    length: int = 16
    vocabulary: int = 420
    text: tuple[int, int] = (96, 3)
    judge: tuple[int, int] = (64, 4)
    clip_epochs: int = 12
    text_epochs: int = 2
    clip_batch: int = 64
    clip_rate: float = 2e-3
    clip_decay: float = 0.05
    shown_tokens: int = 32
    vae_widths: tuple[int, ...] = (24, 48, 96, 96)
    latent: int = 4
    vae_steps: int = 4000
    vae_batch: int = 32
    vae_rate: float = 2e-3
    divergence: float = 1e-5
    widths: tuple[int, ...] = (64, 112)
    steps: int = 4500
    batch: int = 128
    rate: float = 1.2e-3
    dropped: float = 0.1
    snr: float = 5.0
    average: float = 0.999

    def checksum(self) -> str:
        """Return a hash of all constants."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


# -------------------------------------------------------------------------------------------------------- the pictures


def draw_pictures(recipe: Training, part: Part) -> tuple[Tensor, list[pictures.Scene]]:
    """Draw the pictures that a part learns from, (pictures, 3, 64, 64) uint8, and their scenes."""
    rng = np.random.default_rng((recipe.seed, PARTS.index(part)))
    scenes = [pictures.random_scene(rng) for _ in range(recipe.pictures)]
    pixels = np.stack([pictures.compose(scene, rng) for scene in scenes])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), scenes


def _captions(scenes: Sequence[pictures.Scene], recipe: Training, part: Part) -> list[str]:
    rng = np.random.default_rng((recipe.seed, PARTS.index(part), 1))
    return [concepts.caption(scene.concept, scene.style, scene.ground, rng) for scene in scenes]


# ------------------------------------------------------------------------------------------- the two CLIPs


def _train_clip(
    recipe: Training, part: Literal["judge", "text"], folder: Path, device: torch.device
) -> tuple[CLIPModel, list[float]]:  # fmt: skip
    """Train the judge, or the CLIP whose text half becomes the text encoder; the judge is shown noise as well."""
    pixels, scenes = draw_pictures(recipe, part)
    captions = _captions(scenes, recipe, part)
    if part == "judge":
        noise = torch.randint(0, 256, (len(pixels) // 40, *pixels.shape[1:]), dtype=torch.uint8)
        pixels, captions = torch.cat([pixels, noise]), [*captions, *["noise"] * len(noise)]
    tokenizer = _tokenizer(recipe, folder)
    model = make_clip(recipe, part, len(tokenizer)).to(device)
    epochs = recipe.clip_epochs if part == "judge" else recipe.text_epochs
    losses = small_clip.train(
        model, tokenizer, pixels, captions, epochs=epochs, batch=recipe.clip_batch, rate=recipe.clip_rate,
        decay=recipe.clip_decay, shown_tokens=recipe.shown_tokens, seed=recipe.seed,
    )  # fmt: skip
    return model, losses


def _train_text_encoder(recipe: Training, folder: Path, device: torch.device) -> tuple[CLIPTextModel, list[float]]:
    """Train a CLIP and return its text half."""
    model, losses = _train_clip(recipe, "text", folder, device)
    encoder = make_text_encoder(recipe, model.config.text_config.vocab_size)
    encoder.load_state_dict(_text_names(encoder, model.text_model.state_dict()))
    return encoder.eval(), losses


def _tokenizer(recipe: Training, folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer in `data/`; make it if there is none.

    It is made once for all parts: the tokenizers library breaks ties between pieces at random.
    """
    if not (pictures.DATA / "vocab.json").is_file():
        small_clip.make_tokenizer([*_all_texts(), "noise"], folder, recipe.length, recipe.vocabulary)
        for name in _TOKENIZER:
            shutil.copyfile(folder / name, pictures.DATA / name)
    return _copied_tokenizer(folder, recipe.length)


def _copied_tokenizer(folder: Path, length: int) -> PreTrainedTokenizerBase:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _TOKENIZER:
        shutil.copyfile(pictures.DATA / name, folder / name)
    return small_clip.load_tokenizer(folder, length)


def _all_texts() -> list[str]:
    """Return every word of every concept in some prompt, so that the tokenizer has met them all."""
    words = [word for concept in concepts.CONCEPTS for word in concept.words]
    places = list(concepts.GROUNDS)
    styled = [
        prompts.sentence(word, style, places[(i + j) % len(places)])
        for i, word in enumerate(words)
        for j, style in enumerate(prompts.STYLES)
    ]
    return [*words, *styled]


def make_clip(recipe: Training, part: Literal["judge", "text"], vocabulary: int) -> CLIPModel:
    """Make the untrained judge, or the CLIP whose text half becomes the text encoder."""
    return small_clip.make_model(
        vocabulary=vocabulary, length=recipe.length, text=recipe.text,
        vision=recipe.judge if part == "judge" else (48, 2), side=pictures.SIDE, patch=pictures.SIDE // 8, shared=64,
        seed=recipe.seed + PARTS.index(part),
    )  # fmt: skip


def make_text_encoder(recipe: Training, vocabulary: int) -> CLIPTextModel:
    """Make the untrained text encoder."""
    from transformers import CLIPTextModel

    return CLIPTextModel(make_clip(recipe, "text", vocabulary).config.text_config)


# --------------------------------------------------------------------------------------------------- the autoencoder


def make_autoencoder(recipe: Training, scale: float = 1.0) -> AutoencoderKL:
    """Make the untrained autoencoder; `scale` brings its latents to a standard deviation of 1."""
    from diffusers import AutoencoderKL

    torch.manual_seed(recipe.seed)
    levels = len(recipe.vae_widths)
    return AutoencoderKL(
        latent_channels=recipe.latent, block_out_channels=recipe.vae_widths, layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        sample_size=pictures.SIDE, scaling_factor=scale,
    )  # fmt: skip


def train_autoencoder(vae: AutoencoderKL, pixels: Tensor, recipe: Training, *, every: int = 100) -> list[float]:
    """Train in place, where the model is, on pixels, their edges and a small divergence.

    Returns:
        The mean loss of every so many steps.
    """
    optimiser = torch.optim.AdamW(vae.parameters(), recipe.vae_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.vae_rate, total_steps=recipe.vae_steps, pct_start=0.1
    )
    torch.manual_seed(recipe.seed)
    vae.train()
    pixels = pixels.to(vae.device)
    losses = []
    for _ in range(recipe.vae_steps):
        rows = torch.randint(len(pixels), (recipe.vae_batch,), device=vae.device)
        seen = _scaled(pixels[rows])
        hidden = vae.encode(seen).latent_dist
        shown = vae.decode(hidden.sample()).sample
        edges = sum(functional.l1_loss(shown.diff(dim=d), seen.diff(dim=d)) for d in (2, 3))
        loss = functional.mse_loss(shown, seen) + functional.l1_loss(shown, seen) + edges
        losses.append(loss.detach())
        _step(loss + recipe.divergence * hidden.kl().mean(), vae, optimiser)
        schedule.step()
    vae.eval()
    return _every(losses, every)


def _scaled(pixels: Tensor) -> Tensor:
    """Turn uint8 pixels into what an autoencoder reads, -1 to 1."""
    return pixels.float() / 127.5 - 1


def _step(loss: Tensor, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()


def _every(losses: Sequence[Tensor], number: int) -> list[float]:
    return [float(part.mean()) for part in torch.split(torch.stack(list(losses)), number)]


@torch.no_grad()
def _encode(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    """Return the means of the latents, (pictures, latent, 8, 8) float32, not yet scaled."""
    return torch.cat([vae.encode(_scaled(part.to(vae.device))).latent_dist.mean for part in torch.split(pixels, 64)])


# ---------------------------------------------------------------------------------------------------------- the UNet


def make_unet(recipe: Training) -> UNet2DConditionModel:
    """Make the untrained network that predicts noise: two levels with cross-attention, and one between them."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(recipe.seed)
    return UNet2DConditionModel(
        sample_size=8, in_channels=recipe.latent, out_channels=recipe.latent, layers_per_block=1,
        block_out_channels=recipe.widths, norm_num_groups=16, down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2, cross_attention_dim=recipe.text[0], attention_head_dim=8,
    )  # fmt: skip


def train_unet(
    unet: UNet2DConditionModel, latents: Tensor, states: Tensor, texts: Tensor, recipe: Training, *, every: int = 100
) -> list[float]:  # fmt: skip
    """Train on scaled latents; leave the average of the weights in the network; return losses as the other does.

    Args:
        unet: changed in place.
        latents: (pictures, channels, 8, 8).
        states: (captions, tokens, width) of the text encoder; the first caption is empty.
        texts: (pictures, k) k captions of each picture by their rows in `states`.
        recipe: steps, rate and so on.
        every: how many steps' mean is one returned loss.
    """
    from diffusers import DDPMScheduler

    device = unet.device
    latents, states, texts = (values.to(device) for values in (latents, states, texts))
    noising = DDPMScheduler(**NOISE)
    signal = (noising.alphas_cumprod / (1 - noising.alphas_cumprod)).to(device)
    optimiser = torch.optim.AdamW(unet.parameters(), recipe.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=recipe.steps, pct_start=0.05)
    torch.manual_seed(recipe.seed)
    average = copy.deepcopy(unet).requires_grad_(False)
    unet.train()
    losses = []
    for number in range(recipe.steps):
        rows = torch.randint(len(latents), (recipe.batch,), device=device)
        said = texts[rows, torch.randint(texts.shape[1], (recipe.batch,), device=device)]
        said = torch.where(torch.rand(recipe.batch, device=device) < recipe.dropped, 0, said)
        times = torch.randint(1000, (recipe.batch,), device=device)
        noise = torch.randn_like(latents[rows])
        predicted = unet(noising.add_noise(latents[rows], noise, times), times, states[said]).sample
        weight = (recipe.snr / signal[times]).clamp(max=1)
        loss = ((predicted - noise).square().mean(dim=(1, 2, 3)) * weight).mean()
        _step(loss, unet, optimiser)
        schedule.step()
        losses.append(loss.detach())
        keep = min(recipe.average, (1 + number) / (10 + number))
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), unet.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
    unet.load_state_dict(average.state_dict())
    unet.eval()
    return _every(losses, every)


@torch.no_grad()
def _text_states(encoder: CLIPTextModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Tensor:
    words = tokenizer(
        list(texts), padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
    )
    return torch.cat([encoder(part)[0] for part in torch.split(words["input_ids"], 256)])


def _train_unet(recipe: Training, device: torch.device) -> tuple[UNet2DConditionModel, list[float]]:
    """Train on the committed autoencoder and text encoder, with eight captions of each picture."""
    pipeline = committed_pipeline(("text", "vae"))
    pixels, scenes = draw_pictures(recipe, "unet")
    latents = _encode(pipeline.vae.to(device), pixels) * pipeline.vae.config.scaling_factor
    rng = np.random.default_rng((recipe.seed, 4))
    said = [[concepts.caption(s.concept, s.style, s.ground, rng) for _ in range(8)] for s in scenes]
    known = ["", *sorted({text for texts in said for text in texts} - {""})]
    numbers = {text: number for number, text in enumerate(known)}
    texts = torch.tensor([[numbers[text] for text in line] for line in said])
    unet = make_unet(recipe).to(device)
    states = _text_states(pipeline.text_encoder, pipeline.tokenizer, known)
    return unet, train_unet(unet, latents, states, texts, recipe)


# ------------------------------------------------------------------------------------------- the committed networks


def manifest() -> dict[str, Any]:
    """Return the manifest of the committed networks: recipe, checksums, losses, licence."""
    content: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return content


def _load(model: nn.Module, part: Part) -> None:
    """Load a committed part into a model.

    Raises:
        AssetError: the committed file does not have the manifest's checksum.
    """
    from safetensors.torch import load_file

    path = pictures.DATA / f"{part}.safetensors"
    if sha256_of(path) != manifest()["sha256"][part]:
        raise AssetError(f"{path} is damaged: install neoai again.")
    state = {name: values.float() for name, values in load_file(path).items()}
    if part == "text":
        state = _text_names(model, state)
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any("position_ids" not in name for name in missing):
        raise AssetError(
            f"{path} does not fit {type(model).__name__} of the installed version: {[*missing, *unexpected][:3]}."
        )
    model.eval()


def _text_names(encoder: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give weights the names of `CLIPTextModel`: transformers 4 puts `text_model.` before them, transformers 5 not."""
    first = "text_model."
    prefix = first if any(name.startswith(first) for name in encoder.state_dict()) else ""
    return {prefix + name.removeprefix(first): values for name, values in state.items()}


def committed_recipe() -> Training:
    """Return the recipe that the committed networks were trained by."""
    known = manifest()["recipe"].items()
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in known}
    return Training(**values)


def committed_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Write the committed tokenizer into a folder and return it."""
    return _copied_tokenizer(folder, committed_recipe().length)


def committed_judge(tokenizer: PreTrainedTokenizerBase) -> CLIPModel:
    """Return the committed judge, float32."""
    model = make_clip(committed_recipe(), "judge", len(tokenizer))
    _load(model, "judge")
    return model


def committed_pipeline(parts: Sequence[Part] = ("text", "vae", "unet")) -> StableDiffusionPipeline:
    """Return a pipeline of the committed parts, float32; parts that are not named are untrained."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    recipe = committed_recipe()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = committed_tokenizer(Path(folder))
    models = {
        "text": make_text_encoder(recipe, len(tokenizer)),
        "vae": make_autoencoder(recipe, manifest().get("scale", 1.0)),
        "unet": make_unet(recipe),
    }
    for part in parts:
        _load(models[part], part)
    pipeline: StableDiffusionPipeline = StableDiffusionPipeline(
        vae=models["vae"], text_encoder=models["text"], tokenizer=tokenizer, unet=models["unet"],
        scheduler=PNDMScheduler(**NOISE, skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    return pipeline


def _commit(part: Part, model: nn.Module, losses: list[float], recipe: Training, **facts: Any) -> None:
    """Write weights (fp16) into `data/`, and what is to be said of them into the manifest."""
    from safetensors.torch import save_file

    path = pictures.DATA / f"{part}.safetensors"
    with atomic_path(path) as temporary:
        save_file(
            {name: values.detach().half().cpu().contiguous() for name, values in model.named_parameters()}, temporary
        )
    content = manifest() if MANIFEST.exists() else {"sha256": {}, "parameters": {}, "losses": {}}
    content |= {"recipe": asdict(recipe), "recipe_checksum": recipe.checksum(), **facts}
    content["sha256"][part] = sha256_of(path)
    content["parameters"][part] = sum(values.numel() for values in model.parameters())
    content["losses"][part] = [round(loss, 4) for loss in losses]
    content["licence"] = "Apache-2.0 and MIT: trained on Noto and Fluent emoji; see README.md"
    content["made_by"] = "python -m neoai_utils.diffusion.miniature.training"
    with atomic_path(MANIFEST) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def make(part: Part, recipe: Training, device: torch.device) -> None:
    """Train one part by a recipe and write it into `data/`; the UNet needs text encoder and autoencoder there."""
    if part in ("judge", "text"):
        with tempfile.TemporaryDirectory() as name:
            if part == "judge":
                _commit(part, *_train_clip(recipe, part, Path(name), device), recipe)
            else:
                _commit(part, *_train_text_encoder(recipe, Path(name), device), recipe)
    elif part == "vae":
        vae = make_autoencoder(recipe).to(device)
        pixels, _ = draw_pictures(recipe, part)
        losses = train_autoencoder(vae, pixels, recipe)
        _commit(part, vae, losses, recipe, scale=round(1 / float(_encode(vae, pixels[:1024]).std()), 5))
    else:
        _commit(part, *_train_unet(recipe, device), recipe)


def main(parts: Sequence[str]) -> None:
    """Train the named parts, or all of them, by the default recipe and commit them to `data/`."""
    for part in PARTS:
        if not parts or part in parts:
            make(part, Training(), pick_device())
            print(part, manifest()["losses"][part][-1])


if __name__ == "__main__":
    main(sys.argv[1:])
