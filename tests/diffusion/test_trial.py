"""One experiment: an edit is made, judged, and undone."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from neoai_utils.diffusion import judge as judges
from neoai_utils.diffusion.generation import fingerprint
from neoai_utils.diffusion.prompts import CHECKED, HORSES, KEPT, PIGS, check_prompts, grid, pig_prompts
from neoai_utils.diffusion.trial import Trial, undone
from neoai_utils.errors import AssetError, ParameterError
from neoai_utils.runtime import PeakMemory
from tests.diffusion.conftest import FAST, SMALL

PROMPTS, KINDS = ["a mare", "a sow", "a cow"], ["horse", "pig", "neutral"]


def bright(pictures, texts):
    """See a pig (the first text) in bright pictures, the second text in dark ones."""
    return np.array([int(np.asarray(picture).mean() < 128) for picture in pictures])


def test_an_edit_is_scored_and_undone(pipe, tmp_path):
    trial = Trial(pipe, bright, PROMPTS, KINDS, ["a foal"], FAST)
    before = (fingerprint(pipe.unet), fingerprint(pipe.text_encoder))
    outcome = trial.run(lambda pipe: pipe.unet.conv_out.bias.data.add_(1), tmp_path)
    assert (fingerprint(pipe.unet), fingerprint(pipe.text_encoder)) == before
    assert set(outcome.own) == {"strict", "official", *KINDS}
    assert len(outcome.pictures) == 1
    assert (tmp_path / "00000.png").is_file()
    assert outcome.seconds >= 0


def test_an_edit_that_acts_while_drawing(pipe):
    acting = []

    @contextmanager
    def hook():
        acting.append("in")
        yield
        acting.append("out")

    trial = Trial(pipe, lambda pictures, _: np.array([len(acting) % 2 - 1] * len(pictures)), PROMPTS, KINDS, [], FAST)
    assert trial.validate(lambda _: hook())["strict"] == 1.0
    assert acting == ["in", "out"]


def test_weights_come_back_after_an_error(pipe):
    before = (fingerprint(pipe.unet), fingerprint(pipe.text_encoder))
    with pytest.raises(RuntimeError), undone(pipe):
        pipe.text_encoder.get_input_embeddings().weight.data += 1
        raise RuntimeError
    assert (fingerprint(pipe.unet), fingerprint(pipe.text_encoder)) == before


def test_own_prompts_are_ours():
    prompts, kinds = check_prompts(3)
    assert (prompts, kinds) == check_prompts(3)
    assert prompts != check_prompts(4)[0]
    assert {kind: kinds.count(kind) for kind in KINDS} == {"horse": 24, "pig": 16, "neutral": 24}
    unseen = [word for words in CHECKED.values() for word in words]
    assert not {*HORSES, *PIGS, *KEPT} & set(unseen), "words to choose on take no part in edits"
    assert sum(any(word in prompt for word in unseen) for prompt in prompts) > len(prompts) / 2


def test_grids_and_pigs():
    assert len(set(grid(["horse"]))) == 30
    assert "a photo of an animal that gallops on grass" in grid(["animal that gallops"])
    assert pig_prompts(5)[:4] == [f"a {style} of a pig" for style in ("photo", "drawing", "sketch", "portrait")]
    with pytest.raises(ParameterError, match="between 1 and 24"):
        pig_prompts(25)


def test_memory_of_a_block():
    with PeakMemory(torch.device("cpu")) as memory:
        held = torch.ones(2**27)  # 512 MB
        del held
    assert memory.megabytes is None or 400 < memory.megabytes < 600


def test_a_judge_reads_its_folder(pipe, tmp_path):
    from neoai_utils.diffusion.miniature.training import make_clip

    model = make_clip(SMALL, "judge", len(pipe.tokenizer)).eval()
    model.save_pretrained(tmp_path)
    pipe.tokenizer.save_pretrained(tmp_path)
    judge = judges.load_judge(tmp_path)
    from PIL import Image

    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    texts = [["pig", "horse", "noise", ""], ["star", "pig", "horse", ""]]
    together = judge(pictures, texts)
    alone = [int(judge([picture], [line])[0]) for picture, line in zip(pictures, texts, strict=True)]
    assert together.tolist() == alone, "a picture is compared with its own texts alone"
    swapped = judge(pictures, [line[::-1] for line in texts])
    assert swapped.tolist() == [3 - place for place in alone]
    with pytest.raises(AssetError, match="there is no folder .*nowhere.*parameter judge"):
        judges.load_judge(tmp_path / "nowhere")


def test_the_competitions_judge_comes_from_open_clip():
    from PIL import Image

    judge = judges.open_clip_judge("RN50", "")
    found = judge([Image.new("RGB", (80, 60), "pink")], [["pig", "horse", "noise", ""]])
    assert found.shape == (1,)
    assert found[0] in range(4)
    with pytest.raises(AssetError, match=r"no weights no-such-file\.pt for ViT-H-14"):
        judges.open_clip_judge("ViT-H-14", "no-such-file.pt")


def test_the_setting_names_the_judge(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(judges, "load_judge", lambda source: called.append(str(source)) or "folder")
    monkeypatch.setattr(judges, "open_clip_judge", lambda *named, **options: called.append((named, options)) or "clip")
    assert judges.open_judge("", tmp_path) is None
    assert judges.open_judge("given", tmp_path) == "folder"
    assert judges.open_judge("given", None, "cuda") == "clip"
    assert judges.open_judge("openai/clip-vit-base-patch16", tmp_path) == "folder"
    assert judges.open_judge("open_clip:ViT-B-16/openai", tmp_path, "cpu") == "clip"
    assert called == [
        str(tmp_path), ((), {"device": "cuda"}), "openai/clip-vit-base-patch16", (("ViT-B-16", "openai", "cpu"), {}),
    ]  # fmt: skip


def test_without_a_judge_own_pictures_are_not_drawn(pipe, monkeypatch):
    trial = Trial(pipe, None, PROMPTS, KINDS, ["a foal"], FAST)
    drawn = []
    monkeypatch.setattr(
        "neoai_utils.diffusion.trial.draw", lambda _, prompts, *__: drawn.append(prompts) or ["picture"]
    )
    outcome = trial.run(lambda pipe: None)
    assert (outcome.own, outcome.pictures, drawn) == ({}, ["picture"], [["a foal"]])
    assert trial.validate(lambda pipe: pytest.fail("an edit is made for nothing")) == {}


def test_what_is_right():
    pictures = ["seen as pig", "seen as horse", "seen as itself"]
    places = {"seen as pig": 0, "seen as horse": 1, "seen as itself": 0}

    def judge(shown, _texts):
        return np.array([places[picture] for picture in shown])

    assert judges.right(judge, pictures, PROMPTS, KINDS).tolist() == [True, False, True]
