"""Task 6: Stable Diffusion 1.5 in its full shapes and float32: UCE, the gate, and a picture of one step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import real_size
from neoai_utils.diffusion import closed_form, files, gate, generation, prompts, texts
from neoai_utils.runtime import pick_device

GIGABYTES = 8


@pytest.fixture(scope="module")
def given(data: Path) -> files.Prompts:
    real_size.FILES["task6"](data, 1.0)
    return files.read(data)


@pytest.fixture(scope="module")
def pipe(folder: Path, room: None) -> Iterator[Any]:
    made = real_size.pipeline6(folder / "models")
    yield generation.load_pipeline(made, pick_device())


def test_the_networks_have_their_real_sizes(pipe: Any, given: files.Prompts) -> None:
    assert len(given.texts) == 182
    sizes = {"unet": 859.5, "text_encoder": 123.1, "vae": 83.7}
    for name, millions in sizes.items():
        network = getattr(pipe, name)
        assert sum(values.numel() for values in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
        assert {values.dtype for values in network.parameters()} == {torch.float32}
    assert generation.batch_size(pipe) == 1


def test_the_gate_moves_the_states_of_horses_alone(pipe: Any) -> None:
    pairs, rest = prompts.pairs(["horse"])[:6], [*prompts.grid(["zebra"])[:6], ""]
    fitted = gate.fit(pipe, pairs, rest)
    assert fitted.matrix.shape == (768, 768)
    assert fitted.matrix.isfinite().all()
    read = [pairs[0][0], rest[0], ""]
    before = texts.states(pipe, read)
    assert (before.shape, before.dtype) == ((3, 77, 768), torch.float32)
    with gate.redirected(pipe, fitted):
        after = texts.states(pipe, read)
    assert after.isfinite().all()
    assert not torch.allclose(before[0], after[0], atol=1e-3)
    assert torch.equal(before[1:], after[1:])


def test_an_edited_network_draws_a_picture_for_the_submission(pipe: Any, given: files.Prompts, tmp_path: Path) -> None:
    pairs, keep = prompts.pairs(["horse"])[:2], [*prompts.grid(["zebra"])[:2], ""]
    untouched = pipe.unet.conv_in.weight.detach().clone()
    old = closed_form.redirect(pipe, pairs, keep, 0.1)
    layers = closed_form.key_value_projections(pipe.unet)
    assert len(old) == len(layers) == 32
    for name, layer in layers.items():
        assert (layer.weight.shape, layer.weight.dtype) == (old[name].shape, torch.float32)
        assert layer.weight.isfinite().all()
        assert not torch.equal(layer.weight, old[name])
    assert torch.equal(pipe.unet.conv_in.weight, untouched)

    sampling = generation.Sampling(1, given.guidance, seed=42)
    (picture,) = generation.draw(pipe, given.texts[:1], sampling, tmp_path)
    assert (picture.size, picture.mode) == ((512, 512), "RGB")
    assert np.ptp(np.asarray(picture)) > 0
    with Image.open(tmp_path / "00000.png") as stored:
        assert stored.tobytes() == picture.tobytes()
    frame = files.submission([picture])
    assert list(frame) == ["id", "0"]
    assert files.decoded(frame["0"][0]).tobytes() == picture.tobytes()
