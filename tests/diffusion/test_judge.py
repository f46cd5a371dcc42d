"""The judge: its texts, its sources, and what is correct."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from neoai_utils.diffusion import judge as judges
from neoai_utils.diffusion.miniature.networks import make_clip
from neoai_utils.errors import AssetError
from tests.diffusion.conftest import SMALL

PROMPTS, KINDS = ["a mare", "a sow", "a cow"], ["horse", "pig", "neutral"]


def test_a_judge_reads_its_folder(pipe, tmp_path):
    model = make_clip(SMALL, "judge", len(pipe.tokenizer)).eval()
    model.save_pretrained(tmp_path)
    pipe.tokenizer.save_pretrained(tmp_path)
    judge = judges.load_judge(tmp_path)
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    texts = [["pig", "horse", "noise", ""], ["star", "pig", "horse", ""]]
    together = judge(pictures, texts)
    alone = [int(judge([picture], [line])[0]) for picture, line in zip(pictures, texts, strict=True)]
    assert together.tolist() == alone, "a picture is compared with its own texts alone"
    swapped = judge(pictures, [line[::-1] for line in texts])
    assert swapped.tolist() == [3 - index for index in alone]
    with pytest.raises(AssetError, match="there is no folder .*nowhere.*parameter judge"):
        judges.load_judge(tmp_path / "nowhere")


def test_the_competitions_judge_comes_from_open_clip():
    judge = judges.open_clip_judge("RN50", "")
    best = judge([Image.new("RGB", (80, 60), "pink")], [["pig", "horse", "noise", ""]])
    assert best.shape == (1,)
    assert best[0] in range(4)
    with pytest.raises(AssetError, match=r"no weights no-such-file\.pt for ViT-H-14"):
        judges.open_clip_judge("ViT-H-14", "no-such-file.pt")


def test_the_parameter_names_the_judge(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(judges, "load_judge", lambda source, device: called.append((str(source), device)) or "folder")
    monkeypatch.setattr(judges, "open_clip_judge", lambda *named, **options: called.append((named, options)) or "clip")
    assert judges.open_judge("", tmp_path) is None
    assert judges.open_judge("given", tmp_path, "cuda") == "folder"
    assert judges.open_judge("given", None, "cuda") == "clip"
    assert judges.open_judge("openai/clip-vit-base-patch16", tmp_path) == "folder"
    assert judges.open_judge("open_clip:ViT-B-16/openai", tmp_path, "cpu") == "clip"
    assert called == [
        (str(tmp_path), "cuda"), ((), {"device": "cuda"}),
        ("openai/clip-vit-base-patch16", "cpu"), (("ViT-B-16", "openai", "cpu"), {}),
    ]  # fmt: skip


def test_the_judge_leaves_the_gpu_after_judging_and_after_an_error():
    places = []

    class Model:
        to = staticmethod(places.append)

    with pytest.raises(KeyError), judges._visiting(Model(), "cuda"):
        assert places == ["cuda"]
        raise KeyError
    assert places == ["cuda", "cpu"]


def test_correct_pictures():
    pictures = ["seen as pig", "seen as horse", "seen as itself"]
    seen_as = {"seen as pig": 0, "seen as horse": 1, "seen as itself": 0}

    def judge(shown, _texts):
        return np.array([seen_as[picture] for picture in shown])

    assert judges.correct(judge, pictures, PROMPTS, KINDS).tolist() == [True, False, True]
