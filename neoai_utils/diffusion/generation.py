"""Pictures for prompts: batched, seeded prompt by prompt, written to disk as they are drawn, and resumed.

`StableDiffusionPipeline` has no argument `seed`: `pipe(prompt, seed=1)` ignores it silently, and the pictures differ
each time (diffusers issue 1689). Here every prompt has its own generator on the CPU, made from the seed and the number
of the prompt; so a picture depends neither on the batch that it is drawn in nor on the GPU.

Memory on a GPU of 15 GB, for Stable Diffusion 1.5 in half precision: 2.1 GB of weights, and `PICTURE` for each prompt
of a batch, of which as many are drawn at once as fit into nine tenths of the free memory. Where a host has several GPUs
of one kind, all draw (`cards`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from neoai_utils import pretrained
from neoai_utils.diffusion import cards
from neoai_utils.diffusion.texts import states
from neoai_utils.errors import AssetError, DataError, NotANumberError, ParameterError
from neoai_utils.pictures import BROKEN
from neoai_utils.runtime import progress, refuse_nan
from neoai_utils.storage import atomic_path, make_folder

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from torch import nn

__all__ = ["PICTURE", "Sampling", "batch_size", "draw", "fingerprint", "load_pipeline", "noise_generator"]

PICTURE = 1.2e9
"""Bytes set aside for a picture of 512 x 512 pixels beside the weights, in half precision and with guidance.

Its tensors in the UNet take 0.14 GB, and one picture in the autoencoder 0.4 GB (`tests/diffusion/test_memory.py`
counts them); the rest is for the workspaces of the GPU's kernels.
"""
_RUN = "run.json"


@dataclass(frozen=True)
class Sampling:
    """How pictures are drawn; the defaults are the competition's.

    Attributes:
        steps: denoising steps.
        guidance: weight of the text (classifier-free guidance).
        seed: of the noise.
        batch_size: prompts at once; None: as many as fit into memory.
    """

    steps: int = 30
    guidance: float = 7.5
    seed: int = 42
    batch_size: int | None = None


def load_pipeline(source: str | Path, device: torch.device, dtype: str = "") -> StableDiffusionPipeline:
    """Return a pipeline without safety checker and progress bars.

    Args:
        source: a folder, or a name on the Hugging Face hub such as "stable-diffusion-v1-5/stable-diffusion-v1-5", for
            which a model attached on Kaggle is taken first.
        device: device to run on.
        dtype: number format, such as "float32"; empty: float16 on a GPU, float32 on a CPU.

    Raises:
        DataError: the folder or the hub's model cannot be read.
    """
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    kind: torch.dtype = getattr(torch, dtype or ("float16" if device.type == "cuda" else "float32"))
    try:
        folder = pretrained.find(source, "model", marker="model_index.json")
        pipe: StableDiffusionPipeline = StableDiffusionPipeline.from_pretrained(
            folder, safety_checker=None, requires_safety_checker=False, **_weight_format(Path(folder))
        )
    except (AssetError, OSError, ValueError) as error:
        raise DataError(f"cannot load the pipeline {source}: {error}") from error
    pipe.set_progress_bar_config(disable=True)
    if device.type == "cuda":
        pipe.vae.enable_slicing()  # decodes one picture after another, which takes less memory
    return pipe.to(device, kind)


def _weight_format(folder: Path) -> dict[str, object]:
    """Return diffusers' arguments for the weights in a folder; safetensors for a model of the hub."""
    weights = [*folder.glob("unet/*.safetensors")] or [*folder.glob("unet/*.bin")]
    half = bool(weights) and all(".fp16." in path.name for path in weights)
    pickled = any(path.suffix == ".bin" for path in weights)  # diffusers and torch read these without executing them
    return {"use_safetensors": None if pickled else True, "variant": "fp16" if half else None}


def noise_generator(seed: int, number: int) -> torch.Generator:
    """Return the generator of one prompt's noise; other seeds and numbers give independent streams."""
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def batch_size(pipe: StableDiffusionPipeline) -> int:
    """Return how many prompts are drawn at once: 32 small pictures, fewer large ones, by a GPU's free memory.

    Memory that torch holds in reserve counts as free. A picture needs `PICTURE` bytes, in proportion to its pixels, and
    twice as much in float32.
    """
    pixels = int(pipe.unet.config.sample_size * pipe.vae_scale_factor)
    if pipe.device.type != "cuda":
        return max(1, min(32, 2**18 // pixels**2))
    free, _ = torch.cuda.mem_get_info(pipe.device)
    reserve = torch.cuda.memory_reserved(pipe.device) - torch.cuda.memory_allocated(pipe.device)
    needed = PICTURE * (pixels / 512) ** 2 * pipe.unet.dtype.itemsize / 2
    return int(max(1, min(32, 0.9 * (free + reserve) / needed)))


def draw(
    pipe: StableDiffusionPipeline,
    prompts: Sequence[str],
    sampling: Sampling,
    folder: Path | None = None,
    label: str = "drawing",
) -> list[Image.Image]:
    """Draw one picture for each prompt.

    Args:
        pipe: the pipeline, edited or not.
        prompts: any number.
        sampling: steps, guidance, seed, batch.
        folder: each picture is written there as soon as it is drawn. A later call with the same prompts, sampling,
            label, UNet and text states draws only missing pictures; pictures of any other run are removed.
        label: of the progress bar; with a folder also the name of an edit that changes neither the UNet's weights nor
            the states of the prompts (a hook within the UNet).

    Returns:
        The pictures in order.

    Raises:
        ParameterError: there is no prompt, or fewer than one step.
        NotANumberError: a picture has values that are not numbers, in float32 too; nothing of its batch is kept. In
            half precision all pictures are drawn again first, with the pipeline in float32 from then on.
    """
    if not prompts or sampling.steps < 1:
        raise ParameterError(f"need prompts and at least one step, got {len(prompts)} prompts, {sampling.steps} steps.")
    try:
        return _draw_all(pipe, prompts, sampling, folder, label)
    except NotANumberError:
        if pipe.unet.dtype.itemsize >= 4:
            raise
        print(f"NaN in {str(pipe.unet.dtype).removeprefix('torch.')}: numbers overflow; drawing again in float32.")
        pipe.to(torch.float32)
        return _draw_all(pipe, prompts, sampling, folder, label)


def _draw_all(
    pipe: StableDiffusionPipeline, prompts: Sequence[str], sampling: Sampling, folder: Path | None, label: str
) -> list[Image.Image]:
    size = sampling.batch_size or batch_size(pipe)
    numbers = [range(start, min(start + size, len(prompts))) for start in range(0, len(prompts), size)]
    if folder is not None:
        _prepare(folder, pipe, prompts, sampling, label)

    def drawn(on_card: StableDiffusionPipeline, part: range) -> list[Image.Image]:
        stored = None if folder is None else _stored_pictures(folder, part)
        return stored if stored is not None else _draw_batch(on_card, prompts, part, sampling, folder)

    batches = cards.shared(cards.copies(pipe, len(numbers)), numbers, drawn)
    return [picture for batch in progress(batches, label, len(numbers)) for picture in batch]


def _draw_batch(
    pipe: StableDiffusionPipeline, prompts: Sequence[str], part: range, sampling: Sampling, folder: Path | None
) -> list[Image.Image]:
    drawn = pipe(
        [prompts[number] for number in part],
        num_inference_steps=sampling.steps,
        guidance_scale=sampling.guidance,
        generator=[noise_generator(sampling.seed, number) for number in part],
        output_type="np",  # a PIL picture would show NaN as black
    ).images
    refuse_nan(torch.from_numpy(drawn), f"the pictures of the prompts {part[0]} to {part[-1]}", pipe.unet.dtype)
    pictures: list[Image.Image] = pipe.image_processor.numpy_to_pil(drawn)
    if folder is not None:
        for number, picture in zip(part, pictures, strict=True):
            with atomic_path(folder / f"{number:05d}.png") as temporary:
                picture.save(temporary, "PNG")
    return pictures


def _prepare(
    folder: Path, pipe: StableDiffusionPipeline, prompts: Sequence[str], sampling: Sampling, label: str
) -> None:  # fmt: skip
    """Record the run that a folder belongs to; remove the pictures of any other run."""
    settings = {k: v for k, v in asdict(sampling).items() if k != "batch_size"}
    edited = {"weights": fingerprint(pipe.unet), "texts": _digest(states(pipe, prompts))}  # states include hooks
    run = json.dumps({"prompts": list(prompts), "label": label, **edited, **settings}, ensure_ascii=False)
    make_folder(folder)
    if not (folder / _RUN).is_file() or (folder / _RUN).read_bytes() != run.encode():
        for picture in folder.glob("*.png"):
            picture.unlink()
        with atomic_path(folder / _RUN) as temporary:
            temporary.write_bytes(run.encode())


def _stored_pictures(folder: Path, part: range) -> list[Image.Image] | None:
    """Return a whole batch of pictures from an earlier run; None if one is missing, damaged or entirely black."""
    try:
        pictures = [Image.open(folder / f"{number:05d}.png").convert("RGB") for number in part]
    except BROKEN:
        return None
    black = any(picture.getbbox() is None for picture in pictures)  # drawn after a numeric overflow
    return None if black else pictures


def fingerprint(model: nn.Module) -> str:
    """Return a SHA-256 over all weights of a model."""
    return _digest(*model.state_dict().values())


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for values in tensors:
        digest.update(values.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
