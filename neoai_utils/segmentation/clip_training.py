"""A small CLIP, trained on drawings: the miniature's stand-in for `openai/clip-vit-base-patch16`.

It is a real `transformers.CLIPModel` with the original's 14 x 14 grid of cells, trained the original's way: a picture
and its caption attract, all other captions of the batch repel (Radford et al. 2021, 2103.00020). Captions that say the
same share the target. For speed, all epochs but the last show only half of a picture's tokens (Li et al. 2022,
2212.00794). No mask is ever shown to it.

The result of `python -m neoai_utils.segmentation.clip_training` is committed in `data/` with its recipe; `export`
turns it into a folder that `CLIPModel.from_pretrained` reads.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from neoai_utils.errors import AssetError
from neoai_utils.segmentation.drawings import BREEDS, draw, random_scene
from neoai_utils.segmentation.features import CLIP_MEAN, CLIP_STD
from neoai_utils.storage import atomic_path, sha256_of

if TYPE_CHECKING:
    from transformers import CLIPModel, PreTrainedTokenizerBase

__all__ = [
    "DATA", "TrainingRecipe", "committed_recipe", "contrastive_loss", "export", "make_model", "make_tokenizer",
    "manifest", "train", "training_pictures",
]  # fmt: skip

DATA = Path(__file__).parent / "data"
_WEIGHTS, _MANIFEST, _VOCABULARY, _MERGES = "clip.safetensors", "clip.json", "clip_vocab.json", "clip_merges.txt"
_START, _END = "<|startoftext|>", "<|endoftext|>"
_SHAPES = ((120, 160), (160, 120), (120, 170), (140, 140))


@dataclass(frozen=True)
class TrainingRecipe:
    """Every constant that shapes the small CLIP."""

    seed: int = 7
    pictures: int = 9000
    side: int = 112
    patch: int = 8
    width: int = 96
    blocks: int = 4
    heads: int = 4
    text_width: int = 64
    text_blocks: int = 2
    text_length: int = 24
    shared_width: int = 64
    epochs: int = 12
    batch: int = 64
    rate: float = 2e-3
    decay: float = 0.05
    shown_tokens: int = 98

    def checksum(self) -> str:
        """Return the first 16 hexadecimal digits of the recipe's SHA-256."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def training_picture(recipe: TrainingRecipe, index: int) -> tuple[NDArray[np.uint8], str]:
    """Draw one training picture, (side, side, 3) uint8, with its caption; one in five shows no animal."""
    rng = np.random.default_rng((recipe.seed, index))
    breed = BREEDS[rng.integers(len(BREEDS))] if rng.random() < 0.8 else None
    height, width = _SHAPES[rng.integers(len(_SHAPES))]
    scene = random_scene(rng, breed)
    picture, mask = draw(rng, scene, height, width)
    image = Image.fromarray(picture)
    if rng.random() < 0.2:  # a closer look, about some place on the animal
        image = image.crop(_closer(rng, mask))
    image = image.resize((recipe.side, recipe.side), Image.Resampling.BICUBIC)
    return np.asarray(image), scene.caption(rng)


def _closer(rng: np.random.Generator, mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    height, width = mask.shape
    share = rng.uniform(0.6, 0.95)
    rows, columns = np.nonzero(mask)
    at = rng.integers(len(rows)) if len(rows) else 0
    y, x = (rows[at], columns[at]) if len(rows) else (height / 2, width / 2)
    left = float(np.clip(x - share * width / 2, 0, width - share * width))
    top = float(np.clip(y - share * height / 2, 0, height - share * height))
    return int(left), int(top), int(left + share * width), int(top + share * height)


def training_pictures(recipe: TrainingRecipe, jobs: int = 1) -> tuple[Tensor, list[str]]:
    """Draw all training pictures: pixels (pictures, 3, side, side) uint8, and their captions."""
    from joblib import Parallel, delayed

    work = (delayed(training_picture)(recipe, index) for index in range(recipe.pictures))
    drawn = Parallel(n_jobs=jobs, batch_size=32)(work)
    pixels = torch.from_numpy(np.stack([picture for picture, _ in drawn])).permute(0, 3, 1, 2)
    return pixels, [caption for _, caption in drawn]


def make_tokenizer(captions: Sequence[str], folder: Path) -> PreTrainedTokenizerBase:
    """Train CLIP's kind of byte-pair tokenizer on the captions; write `vocab.json` and `merges.txt` into `folder`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    pieces = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=_END))
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=400, end_of_word_suffix="</w>", special_tokens=[_START, _END], show_progress=False
    )
    pieces.train_from_iterator(sorted(set(captions)), trainer)
    model = json.loads(pieces.to_str())["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], indent=0), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    return _tokenizer_of(folder, TrainingRecipe().text_length)


def _tokenizer_of(folder: Path, length: int) -> PreTrainedTokenizerBase:
    from transformers import CLIPTokenizer

    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length, "bos_token": _START}
    settings |= dict.fromkeys(("eos_token", "unk_token", "pad_token"), _END)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    tokenizer: PreTrainedTokenizerBase = CLIPTokenizer.from_pretrained(folder)
    return tokenizer


def make_model(recipe: TrainingRecipe, vocabulary: int) -> CLIPModel:
    """Make the untrained `CLIPModel` of a recipe, its weights drawn from the recipe's seed."""
    from transformers import CLIPConfig, CLIPModel

    text = {
        "hidden_size": recipe.text_width, "intermediate_size": 2 * recipe.text_width,
        "num_hidden_layers": recipe.text_blocks, "num_attention_heads": recipe.heads, "vocab_size": vocabulary,
        "max_position_embeddings": recipe.text_length, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    }  # fmt: skip
    vision = {
        "hidden_size": recipe.width, "intermediate_size": 2 * recipe.width, "num_hidden_layers": recipe.blocks,
        "num_attention_heads": recipe.heads, "image_size": recipe.side, "patch_size": recipe.patch,
    }  # fmt: skip
    torch.manual_seed(recipe.seed)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=recipe.shared_width))


def contrastive_loss(logits: Tensor, group: Tensor) -> Tensor:
    """Return CLIP's symmetric cross-entropy with shared targets.

    Args:
        logits: (batch, batch) similarities, pictures by captions.
        group: (batch,) numbers; equal captions have equal numbers and share the target.
    """
    same = (group[:, None] == group[None, :]).float()
    target = same / same.sum(dim=1, keepdim=True)
    pictures = -(target * functional.log_softmax(logits, dim=1)).sum(dim=1).mean()
    captions = -(target * functional.log_softmax(logits.T, dim=1)).sum(dim=1).mean()
    return (pictures + captions) / 2


class _TokenDropper:
    """A forward hook that lets only some of the picture's tokens pass, others each time (2212.00794)."""

    def __init__(self, shown: int) -> None:
        self.shown = shown

    def __call__(self, _module: torch.nn.Module, _inputs: Any, tokens: Tensor) -> Tensor:
        number = tokens.shape[1] - 1
        if self.shown >= number:
            return tokens
        chosen = torch.rand(len(tokens), number).argsort(dim=1)[:, : self.shown] + 1
        chosen = torch.cat([torch.zeros(len(tokens), 1, dtype=torch.long), chosen], dim=1)
        return tokens.gather(1, chosen[..., None].expand(-1, -1, tokens.shape[-1]))


def train(
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerBase,
    pixels: Tensor,
    captions: Sequence[str],
    recipe: TrainingRecipe,
) -> list[float]:
    """Train in place with AdamW and a one-cycle rate; return the mean loss of every epoch."""
    mean, std = (torch.tensor(values).view(3, 1, 1) * 255 for values in (CLIP_MEAN, CLIP_STD))
    words = tokenizer(
        list(captions), padding="max_length", truncation=True, max_length=recipe.text_length, return_tensors="pt"
    )
    numbers = {caption: index for index, caption in enumerate(sorted(set(captions)))}
    group = torch.tensor([numbers[caption] for caption in captions])
    dropper = _TokenDropper(recipe.shown_tokens)
    handle = model.vision_model.embeddings.register_forward_hook(dropper)
    per_epoch = len(pixels) // recipe.batch
    optimiser = torch.optim.AdamW(model.parameters(), recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=recipe.epochs * per_epoch)
    torch.manual_seed(recipe.seed)
    model.train()
    losses = []
    for epoch in range(recipe.epochs):
        if epoch == recipe.epochs - 1:
            dropper.shown = 10**9
        total = 0.0
        for rows in torch.randperm(len(pixels))[: per_epoch * recipe.batch].view(-1, recipe.batch):
            batch = (pixels[rows].float() - mean) / std
            batch = batch.flip(3) if torch.rand(()) < 0.5 else batch
            output = model(
                input_ids=words["input_ids"][rows], attention_mask=words["attention_mask"][rows], pixel_values=batch
            )
            loss = contrastive_loss(output.logits_per_image, group[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        losses.append(total / per_epoch)
    handle.remove()
    model.eval()
    return losses


# ----------------------------------------------------------------------------------------------- the committed model


def manifest() -> dict[str, Any]:
    """Return the manifest of the committed model: recipe, checksums, losses, licence."""
    content: dict[str, Any] = json.loads((DATA / _MANIFEST).read_text(encoding="utf-8"))
    return content


def committed_recipe() -> TrainingRecipe:
    """Return the recipe that the committed model was trained by."""
    return TrainingRecipe(**manifest()["recipe"])


def export(folder: Path) -> None:
    """Write the committed model as a folder that `CLIPModel` and `CLIPTokenizer` read, with `classes.json`.

    Raises:
        AssetError: the committed weights do not have the manifest's checksum.
    """
    from safetensors.torch import load_file

    if sha256_of(DATA / _WEIGHTS) != manifest()["sha256"]:
        raise AssetError(f"{DATA / _WEIGHTS} is damaged: install neoai again.")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DATA / _VOCABULARY, folder / "vocab.json")
    shutil.copyfile(DATA / _MERGES, folder / "merges.txt")
    recipe = committed_recipe()
    tokenizer = _tokenizer_of(folder, recipe.text_length)
    model = make_model(recipe, len(tokenizer))
    weights = {name: values.float() for name, values in load_file(DATA / _WEIGHTS).items()}
    model.load_state_dict(weights, strict=False)  # position_ids are no weights and differ between versions
    model.save_pretrained(folder)
    (folder / "classes.json").write_text(json.dumps([breed.name for breed in BREEDS]), encoding="utf-8")


def _commit(model: CLIPModel, folder: Path, recipe: TrainingRecipe, losses: list[float]) -> None:
    """Write weights (fp16), tokenizer and manifest into `data/`."""
    from safetensors.torch import save_file

    weights = {name: values.detach().half().contiguous() for name, values in model.named_parameters()}
    with atomic_path(DATA / _WEIGHTS) as temporary:
        save_file(weights, temporary)
    shutil.copyfile(folder / "vocab.json", DATA / _VOCABULARY)
    shutil.copyfile(folder / "merges.txt", DATA / _MERGES)
    content = {
        "recipe": asdict(recipe),
        "recipe_checksum": recipe.checksum(),
        "sha256": sha256_of(DATA / _WEIGHTS),
        "parameters": sum(values.numel() for values in weights.values()),
        "losses": [round(loss, 4) for loss in losses],
        "licence": "MIT, own work: drawings by neoai_utils.segmentation.drawings, no outside picture",
        "made_by": "python -m neoai_utils.segmentation.clip_training",
    }
    with atomic_path(DATA / _MANIFEST) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Train the small CLIP by the default recipe and commit it to `data/`."""
    import tempfile

    torch.set_num_threads(1)
    recipe = TrainingRecipe()
    pixels, captions = training_pictures(recipe, jobs=-1)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(captions, Path(folder))
        model = make_model(recipe, len(tokenizer))
        losses = train(model, tokenizer, pixels, captions, recipe)
        _commit(model, Path(folder), recipe, losses)
    print("losses:", ", ".join(f"{loss:.3f}" for loss in losses))


if __name__ == "__main__":
    main()
