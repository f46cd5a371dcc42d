"""Plays the training loops on tiny data, in this process or, as a script, in every process that `accelerate` launches.

`python tests/training_loops.py FOLDER` writes `LOOP-RANK.pt` for each loop: its losses, what it scored, its weights.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

Outcome = dict[str, Any]


def diffusion() -> Outcome:
    """Fine-tune a UNet with a prior, then distil it, four rows a step."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    from neoai_utils.diffusion.distillation import distil
    from neoai_utils.diffusion.finetune import Examples, fine_tune
    from neoai_utils.diffusion.miniature import committed, networks
    from neoai_utils.diffusion.training import TrainingPlan

    size = networks.NetworkRecipe(text=(16, 1), vae_widths=(8, 8, 8), unet_widths=(16, 32))
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = committed.tokenizer(Path(folder))
    pipe = StableDiffusionPipeline(
        vae=networks.make_autoencoder(size), text_encoder=networks.make_text_encoder(size, len(tokenizer)).eval(),
        tokenizer=tokenizer, unet=networks.make_unet(size).eval(), safety_checker=None, feature_extractor=None,
        scheduler=PNDMScheduler(**networks.NOISE, skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False),
        requires_safety_checker=False,
    )  # fmt: skip
    latents = torch.randn((6, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    pigs = Examples(tuple(f"a photo of a pig {n}" for n in range(6)), latents)
    losses = fine_tune(pipe, pigs, TrainingPlan(6, 1e-3, 4, "cross-attention"), share=0.5, prior=pigs)
    losses += distil(pipe, [("horse", "pig")], ["star", "sun"], latents, TrainingPlan(4, 1e-3, 4, "lora"), repel=0.5)
    return {"losses": losses, "score": losses[-1], "weights": pipe.unet.state_dict()}


def crosslingual() -> Outcome:
    """Fine-tune the joint model, four sentences of equal length a step, without dropout, which each process draws."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from neoai_utils.crosslingual.encoding import Collator
    from neoai_utils.crosslingual.prediction import predict
    from neoai_utils.crosslingual.training import TrainingPlan, UtteranceSource, fine_tune
    from neoai_utils.crosslingual.utterances import Labels, Utterance

    words = [f"w{number}" for number in range(20)]
    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(["[PAD]", "[UNK]", *words])}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    collate = Collator(
        PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]"),
        Labels(("even", "odd"), ("O", "B-high")),
    )
    torch.manual_seed(0)
    encoder = BertModel(
        BertConfig(
            vocab_size=22, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=8, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        ),
        add_pooling_layer=False,
    )  # fmt: skip
    drawn = np.random.default_rng(0).integers(20, size=(40, 4))
    utterances = [
        Utterance(
            tuple(words[n] for n in row), ("even", "odd")[row[0] % 2], tuple("B-high" if n > 9 else "O" for n in row)
        )
        for row in drawn
    ]
    plan = TrainingPlan(60, batch=4, learning_rate=1e-2)
    model = fine_tune(encoder, collate, [UtteranceSource(utterances)], plan, seed=0)
    intents = predict(model, collate, utterances).intents.argmax(1)
    right = [intent == row[0] % 2 for intent, row in zip(intents, drawn, strict=True)]
    return {"losses": [], "score": float(np.mean(right)), "weights": model.state_dict()}


def continual() -> Outcome:
    """Fine-tune a TinyViT with replayed pictures and distillation, six pictures a step, BatchNorm frozen."""
    from timm.models.tiny_vit import TinyVit

    from neoai_utils.continual.finetune import fine_tune
    from neoai_utils.continual.inference import logits
    from neoai_utils.continual.plan import TrainingPlan

    torch.manual_seed(0)
    model = TinyVit(
        num_classes=6, embed_dims=(8, 8, 16, 16), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2),
        window_sizes=(4, 4, 2, 2), drop_path_rate=0.0,
    ).eval()  # fmt: skip
    pixels = np.random.default_rng(0).integers(256, size=(12, 3, 32, 32), dtype=np.uint8)
    classes = [0, 1, 2] * 4
    plan = TrainingPlan(4, 1e-3, alpha=0.5, distil="old", frozen_norm=True, deform=True, batch_size=6)
    tuned = fine_tune(model, pixels, classes, plan, teacher=model, old=[3, 4, 5], replay=pixels[::-1].copy(), seed=1)
    loss = nn.functional.cross_entropy(torch.as_tensor(logits(tuned, pixels)), torch.tensor(classes))
    return {"losses": [], "score": loss.item(), "weights": tuned.state_dict()}


LOOPS: dict[str, Callable[[], Outcome]] = {loop.__name__: loop for loop in (continual, crosslingual, diffusion)}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    for name, loop in LOOPS.items():
        torch.save(loop(), folder / f"{name}-{os.environ['RANK']}.pt")


if __name__ == "__main__":
    from neoai_utils import number_formats

    number_formats._processor_has_bfloat16 = lambda: False  # float32, as in the tests' own process
    main(Path(sys.argv[1]))
