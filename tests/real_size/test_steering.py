"""Task 3: Gemma 2 2B with 2 of 26 blocks in bfloat16, DeBERTa-v3-large with 2 of 24 layers, an SAE of 16,384 latents.

Width, heads and the vocabulary of 256,000 are the real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from benchmarks import real_size
from neoai_utils.runtime import pick_device
from neoai_utils.steering import autoencoders, features, files, hooks, memory, vectors
from neoai_utils.steering.detector import load_classifier
from neoai_utils.steering.generation import Sampling, Writer, generate
from neoai_utils.steering.losses import perplexity, text_bytes
from neoai_utils.steering.models import load_writer
from neoai_utils.steering.pairs import find_pairs, read_pairs

GIGABYTES = 5
SAMPLING = Sampling(new_tokens=2)


class Texts(NamedTuple):
    prompts: list[str]
    human: list[str]
    machine: list[str]


@pytest.fixture(scope="module")
def named(folder: Path, room: None) -> dict[str, Path]:
    """Give the folders of the saved networks."""
    made = real_size.models3(folder / "models", blocks=2, levels=2, saes=(1,))
    return {name: Path(str(path)) for name, path in made.items()}


@pytest.fixture(scope="module")
def writer(named: dict[str, Path]) -> Iterator[Writer]:
    yield load_writer(str(named["writer"]), "bfloat16", pick_device(quiet=True))


@pytest.fixture(scope="module")
def texts(data: Path) -> Texts:
    real_size.FILES["task3"](data, 0.004)
    pairs = read_pairs(find_pairs("", data))
    assert len(pairs) == real_size.ROWS["task3"]["pairs"]
    return Texts(files.read(data), [p.human_text for p in pairs[:2]], [p.machine_text for p in pairs[:2]])


def test_the_writer_has_the_real_width(writer: Writer) -> None:
    model = writer.model
    assert (model.dtype, len(hooks.blocks(model))) == (torch.bfloat16, 2)
    assert model.get_input_embeddings().weight.shape == (256_000, 2304)
    block = 2304 * (2 * 2048 + 2 * 1024 + 3 * 9216) + 4 * 2304
    assert sum(values.numel() for values in model.parameters()) == 256_000 * 2304 + 2 * block + 2304


def test_two_prompts_are_continued_steered_and_unsteered(writer: Writer, texts: Texts) -> None:
    states = features.pooled(writer, [*texts.human, *texts.machine], dict.fromkeys(range(2)), batch=SAMPLING.batch)
    is_human = np.array([True, True, False, False])
    caa = {layer: vectors.difference(values[is_human], values[~is_human]) for layer, values in states.items()}
    assert [(values.shape, values.dtype) for values in states.values()] == [((4, 2304), np.float32)] * 2
    assert all(vector.norm() > 0 and vector.isfinite().all() for vector in caa.values())
    unsteered = generate(writer, texts.prompts, SAMPLING)
    with hooks.steered(writer.model, {layer: hooks.adding(vector, 8.0) for layer, vector in caa.items()}):
        steered = generate(writer, texts.prompts, SAMPLING)
    for prompt, before, after in zip(texts.prompts, unsteered, steered, strict=True):
        assert all(text.startswith(prompt) and len(text) > len(prompt) for text in (before, after))
        assert before != after
    assert len(files.submission(texts.prompts, steered)) == 2
    assert generate(writer, texts.prompts, SAMPLING) == unsteered, "the hooks are gone"
    with hooks.steered(writer.model, {1: hooks.adding(caa[1], 8.0)}):
        other = perplexity(writer, texts.prompts, unsteered, SAMPLING.batch)
    plain = perplexity(writer, texts.prompts, unsteered, SAMPLING.batch)
    assert 1e3 < plain < 1e9
    assert plain != other


def test_losses_of_long_texts(writer: Writer, texts: Texts) -> None:
    """The first 20 of 80 words are the prompts."""
    beginnings, whole = ([" ".join(text.split()[:size]) for text in texts.machine] for size in (20, 80))
    assert 2 * text_bytes(writer.model, 81, 21) < memory.BUDGET, "one pass takes both"
    assert 1e3 < perplexity(writer, beginnings, whole, SAMPLING.batch) < 1e12


def test_latents_of_a_full_dictionary_are_averaged(writer: Writer, named: dict[str, Path], texts: Texts) -> None:
    sae = autoencoders.from_folder(named["saes"] / "block1", str(pick_device(quiet=True)))
    assert (sae.W_enc.shape, sae.W_dec.shape) == ((2304, 16_384), (16_384, 2304))
    read = {1: lambda hidden: sae.encode(hidden.to(sae.dtype))}
    latents = features.pooled(writer, [*texts.human, *texts.machine], read, batch=SAMPLING.batch)[1]
    assert (latents.shape, latents.dtype) == ((4, 16_384), np.float32)
    assert np.isfinite(latents).all()
    assert (latents >= 0).all()
    assert latents.any(axis=1).all(), "some latents are active in each text"
    change = vectors.from_latents(sae.W_dec.detach(), vectors.difference(latents[:2], latents[2:]), np.arange(12))
    assert change.shape == (2304,)


def test_the_detector_tells_texts_apart(named: dict[str, Path], texts: Texts) -> None:
    classifier = load_classifier(str(named["detector"]), pick_device(quiet=True))
    assert classifier.model.get_input_embeddings().weight.shape == (128_100, 1024)
    scores = classifier.score([*texts.human, *texts.machine])
    assert (scores.shape, scores.dtype) == ((4,), np.float64)
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 4
