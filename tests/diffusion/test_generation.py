"""Pictures for prompts: one noise for each prompt, kept on disk, resumed, and never mixed with another run's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neoai_utils.diffusion import generation
from neoai_utils.diffusion.generation import draw, fingerprint, load_pipeline, noise_generator
from neoai_utils.diffusion.redirection import redirect_words
from neoai_utils.diffusion.texts import states
from neoai_utils.errors import DataError, NeoaiError, NotANumberError, ParameterError
from tests.diffusion.conftest import FAST

PROMPTS = ["a photo of a horse", "a sketch of a pig", "star", "a photo of a horse", "a cow at night"]


def pixels(pictures):
    return np.stack([np.asarray(picture) for picture in pictures]).astype(int)


def sampled(batch_size=None, **changes):
    return replace(FAST, batch_size=batch_size, **changes)


class Counter:
    """Counts the prompts that a pipeline draws, and can stop it like a kill."""

    def __init__(self, pipe, stop_after=None):
        self.pipe, self.drawn, self.stop_after = pipe, 0, stop_after

    def __getattr__(self, name):
        return getattr(self.pipe, name)

    def __call__(self, prompts, **options):
        if self.stop_after is not None and self.drawn >= self.stop_after:
            raise KeyboardInterrupt
        self.drawn += len(prompts)
        return self.pipe(prompts, **options)


def test_a_picture_does_not_depend_on_its_batch(pipe):
    alone = pixels(draw(pipe, PROMPTS, sampled(1)))
    for batch in (2, 5):
        assert abs(pixels(draw(pipe, PROMPTS, sampled(batch))) - alone).max() <= 1  # sums may be rounded otherwise


def test_seeds_and_numbers_give_other_noise(pipe):
    first = pixels(draw(pipe, PROMPTS, sampled()))
    assert (pixels(draw(pipe, PROMPTS, sampled())) == first).all()
    assert (pixels(draw(pipe, PROMPTS, sampled(seed=2))) != first).any(axis=(1, 2, 3)).all()
    assert (first[0] != first[3]).any(), "the same prompt twice is drawn from two noises"
    streams = {
        torch.rand((), generator=noise_generator(seed, number)).item() for seed in range(9) for number in range(9)
    }
    assert len(streams) == 81


def test_the_pipelines_own_seed_is_swallowed(pipe):
    def drawn(global_seed):
        torch.manual_seed(global_seed)
        return np.asarray(pipe("star", num_inference_steps=2, seed=5).images[0]).astype(int)

    assert (drawn(1) != drawn(2)).any(), "the official code's seed has no effect"


def test_a_run_that_was_killed_goes_on_where_it_stopped(pipe, tmp_path):
    whole = pixels(draw(pipe, PROMPTS, sampled(2)))
    with pytest.raises(KeyboardInterrupt):
        draw(Counter(pipe, stop_after=2), PROMPTS, sampled(2), tmp_path)
    rest = Counter(pipe)
    assert (pixels(draw(rest, PROMPTS, sampled(2), tmp_path)) == whole).all()
    assert rest.drawn == 3
    again = Counter(pipe)
    assert (pixels(draw(again, PROMPTS, sampled(2), tmp_path)) == whole).all()
    assert again.drawn == 0


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from PIL import Image
from neoai_utils.diffusion.generation import Sampling, draw, load_pipeline

torch.set_num_threads(1)
save, saved = Image.Image.save, []

def die_at_the_third(picture, path, *words):
    save(picture, path, *words)
    saved.append(path)
    if len(saved) == 3:
        Path(path).write_bytes(Path(path).read_bytes()[:40])
        os.kill(os.getpid(), signal.SIGKILL)

Image.Image.save = die_at_the_third
model, folder, *prompts = sys.argv[1:]
sampling = Sampling(steps=2, guidance=3.0, seed=1, batch_size=2)
draw(load_pipeline(model, torch.device("cpu")), prompts, sampling, Path(folder))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_killed_with_half_a_picture_on_the_disk(pipe, tmp_path):
    """Whole pictures are taken, the half one is not; the files are those of a run that nobody disturbed."""
    pipe.save_pretrained(tmp_path / "model")
    whole = pixels(draw(pipe, PROMPTS, sampled(2), tmp_path / "whole"))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "model"), str(tmp_path / "cut"), *PROMPTS]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert sorted(path.name for path in (tmp_path / "cut").glob("*.png")) == ["00000.png", "00001.png"]
    rest = Counter(pipe)
    assert (pixels(draw(rest, PROMPTS, sampled(2), tmp_path / "cut")) == whole).all()
    assert rest.drawn == 3
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "cut" / path.name).read_bytes() == path.read_bytes()


def test_a_disk_that_becomes_full(pipe, small_disk):
    """No half picture stays, the message says what to do, and with space again the run goes on."""
    folder = small_disk.folder / "pictures"
    whole = pixels(draw(pipe, PROMPTS, sampled(2)))
    draw(pipe, PROMPTS[:2], sampled(2), folder)
    (folder / "00001.png").unlink()
    with small_disk.full(), pytest.raises(NeoaiError, match=r"cannot write .*0000\d\.png.*free some space"):
        draw(pipe, PROMPTS[:2], sampled(2), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["00000.png", "run.json"]
    assert (pixels(draw(pipe, PROMPTS[:2], sampled(2), folder)) == whole[:2]).all()


def test_a_damaged_picture_is_drawn_again(pipe, tmp_path):
    whole = pixels(draw(pipe, PROMPTS, sampled(2), tmp_path))
    kept = (tmp_path / "00002.png").read_bytes()
    (tmp_path / "00002.png").write_bytes(kept[: len(kept) // 2])
    counter = Counter(pipe)
    assert (pixels(draw(counter, PROMPTS, sampled(2), tmp_path)) == whole).all()
    assert counter.drawn == 2


@pytest.mark.parametrize("content", [b"", b"<html>", b"GIF89a", bytes(900), b"\x89PNG\r\n\x1a\n" + bytes(60)])
def test_what_is_no_picture_is_drawn_again(pipe, tmp_path, content):
    whole = pixels(draw(pipe, PROMPTS, sampled(2), tmp_path))
    (tmp_path / "00002.png").write_bytes(content)
    counter = Counter(pipe)
    assert (pixels(draw(counter, PROMPTS, sampled(2), tmp_path)) == whole).all()
    assert counter.drawn == 2


def test_a_damaged_note_of_the_run_starts_it_anew(pipe, tmp_path):
    whole = pixels(draw(pipe, PROMPTS, sampled(2), tmp_path))
    (tmp_path / "run.json").write_bytes(b"\xff\xfe")
    counter = Counter(pipe)
    assert (pixels(draw(counter, PROMPTS, sampled(2), tmp_path)) == whole).all()
    assert counter.drawn == len(PROMPTS)


@pytest.mark.parametrize("change", ["weights", "words", "seed", "prompts", "label"])
def test_another_runs_pictures_are_not_taken(pipe, tmp_path, change):
    draw(pipe, PROMPTS, sampled(), tmp_path)
    counter = Counter(pipe)
    if change == "weights":
        with torch.no_grad():
            pipe.unet.conv_in.bias[0] += 1
    if change == "words":
        redirect_words(pipe, ["horse"], "pig")
    prompts = PROMPTS[::-1] if change == "prompts" else PROMPTS
    label = "steered" if change == "label" else "drawing"
    draw(counter, prompts, sampled(seed=9) if change == "seed" else sampled(), tmp_path, label)
    assert counter.drawn == len(PROMPTS)


def test_what_cannot_be_drawn(pipe):
    with pytest.raises(ParameterError, match="need prompts"):
        draw(pipe, [], sampled())
    with pytest.raises(ParameterError, match="at least one step"):
        draw(pipe, PROMPTS, sampled(steps=0))


def test_a_pipeline_is_loaded_from_a_folder(pipe, tmp_path):
    pipe.save_pretrained(tmp_path / "model")
    loaded = load_pipeline(tmp_path / "model", torch.device("cpu"))
    assert fingerprint(loaded.unet) == fingerprint(pipe.unet)
    assert fingerprint(loaded.text_encoder) == fingerprint(pipe.text_encoder)
    assert (pixels(draw(loaded, PROMPTS[:2], sampled())) == pixels(draw(pipe, PROMPTS[:2], sampled()))).all()
    with pytest.raises(DataError, match="cannot load the pipeline"):
        load_pipeline(tmp_path / "nowhere", torch.device("cpu"))


@pytest.mark.parametrize("stored", ["fp16", "bin"])
def test_a_pipeline_may_be_stored_in_half_precision_or_by_pickle(pipe, tmp_path, stored):
    """As many a Kaggle model is: only files of the variant fp16, or only .bin, which is read without executing."""
    options = {"variant": "fp16"} if stored == "fp16" else {"safe_serialization": False}
    pipe.save_pretrained(tmp_path / "model", **options)
    loaded = load_pipeline(tmp_path / "model", torch.device("cpu"))
    assert fingerprint(loaded.unet) == fingerprint(pipe.unet)
    assert loaded.unet.dtype == torch.float32
    assert load_pipeline(tmp_path / "model", torch.device("cpu"), "bfloat16").unet.dtype == torch.bfloat16


def test_an_attached_model_is_found(pipe, tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path))
    pipe.save_pretrained(tmp_path / "sd/diffusers/stable-diffusion-v1-5/1")
    loaded = load_pipeline("stable-diffusion-v1-5/stable-diffusion-v1-5", torch.device("cpu"))
    assert fingerprint(loaded.unet) == fingerprint(pipe.unet)


def broken(pipe):
    """Let the network's numbers overflow, as in half precision on some cards."""
    with torch.no_grad():
        pipe.unet.conv_out.bias[0] = float("nan")
    return pipe


def test_pictures_that_are_no_number_are_refused_after_the_first_batch(pipe, tmp_path, monkeypatch):
    counter = Counter(broken(pipe))
    with pytest.raises(NotANumberError, match="prompts 0 to 1: .* NaN, .* in float32. Its weights are damaged"):
        draw(counter, PROMPTS, sampled(2), tmp_path)
    assert counter.drawn == 2
    assert list(tmp_path.glob("*.png")) == []
    monkeypatch.setattr(type(pipe.unet), "dtype", torch.float16)
    with pytest.raises(NotANumberError, match="in float16.* set the parameter dtype to float32"):
        draw(pipe, PROMPTS, sampled(2))


def test_what_overflows_in_half_precision_is_drawn_in_float32(pipe, tmp_path, capsys):
    """All pictures are drawn anew, the folder holds those of one number format, and the message is one line."""
    wanted = pixels(draw(pipe.to(torch.bfloat16).to(torch.float32), PROMPTS[:3], sampled(2)))

    def overflow(_module, _inputs, output):
        return output * torch.nan if output.dtype == torch.bfloat16 else output

    pipe.to(torch.bfloat16).unet.conv_out.register_forward_hook(overflow)
    assert (pixels(draw(pipe, PROMPTS[:3], sampled(2), tmp_path)) == wanted).all()
    assert (pixels([Image.open(tmp_path / f"0000{number}.png") for number in range(3)]) == wanted).all()
    assert capsys.readouterr().out == "NaN in bfloat16: numbers overflow; drawing again in float32.\n"
    assert {pipe.unet.dtype, pipe.vae.dtype, pipe.text_encoder.dtype} == {torch.float32}


def test_black_pictures_of_an_earlier_run_are_drawn_again(pipe, tmp_path):
    whole = pixels(draw(pipe, PROMPTS, sampled(2), tmp_path))
    Image.new("RGB", (64, 64)).save(tmp_path / "00003.png")
    counter = Counter(pipe)
    assert (pixels(draw(counter, PROMPTS, sampled(2), tmp_path)) == whole).all()
    assert counter.drawn == 2


def test_prompts_whose_states_are_no_number_are_refused(pipe):
    with torch.no_grad():
        pipe.text_encoder.get_input_embeddings().weight[:] = float("nan")
    with pytest.raises(NotANumberError, match="states of the prompts"):
        states(pipe, PROMPTS)


def test_large_pictures_come_in_small_batches(pipe):
    assert generation.batch_size(pipe) == 32
    pipe.unet.register_to_config(sample_size=512 // pipe.vae_scale_factor)
    assert generation.batch_size(pipe) == 1
