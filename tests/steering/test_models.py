"""The named models of the competition, and the settings of a miniature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neoai_utils.errors import AssetError, DataError
from neoai_utils.steering import autoencoders, models, search
from neoai_utils.steering.generation import Sampling
from neoai_utils.steering.hooks import adding
from neoai_utils.steering.metric import Window


def test_the_competitions_models_by_name(tmp_path: Path, words, encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a detector gets the named models: here tiny ones of the same classes, saved to disk."""
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification, Gemma2Config, Gemma2ForCausalLM

    Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, head_dim=8,
        )
    ).save_pretrained(tmp_path / "gemma")  # fmt: skip
    DebertaV2ForSequenceClassification(
        DebertaV2Config(
            vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            num_labels=1,
        )
    ).save_pretrained(tmp_path / "detector-model")  # fmt: skip
    for name in ("gemma", "detector-model"):
        words.save_pretrained(tmp_path / name)
    requested = []
    monkeypatch.setattr(autoencoders, "from_hub", lambda *names: requested.append(names))
    monkeypatch.setattr(models, "load_encoder", lambda: encoder)
    monkeypatch.setattr(models, "writer_dtype", lambda device: "float32")
    names = tmp_path, str(tmp_path / "gemma"), str(tmp_path / "detector-model"), torch.device("cpu")
    setup = models.open_setup(*names)
    shorter = models.open_setup(*names, dtype="float16", new_tokens=64)
    assert (shorter.writer.model.dtype, shorter.sampling.new_tokens) == (torch.float16, 64)
    assert type(setup.writer.model).__name__ == "Gemma2ForCausalLM"
    assert (setup.window, setup.sampling.temperature, setup.sampling.new_tokens) == (Window(-2, 2), 1.0, 128)
    assert setup.detector.score(["w1 w2", "w3"]).shape == (2,)
    texts = search.write(replace(setup, sampling=Sampling(4)), ["w1 w2"], {1: adding(torch.ones(16))})
    assert texts[0].startswith("w1 w2")
    setup.sae(16)
    assert requested == [("gemma-scope-2b-pt-res-canonical", "layer_16/width_16k/canonical", "cpu")]


def test_autoencoders_out_of_a_folder(sae, tmp_path: Path) -> None:
    for layer in (14, 15, 16, 17):
        sae.save_model(tmp_path / f"block{layer}")
    with pytest.raises(DataError, match=r"lacks the sparse autoencoders block18 .*parameter saes"):
        models._sae_reader(str(tmp_path), torch.device("cpu"))
    sae.save_model(tmp_path / "block18")
    reader = models._sae_reader(str(tmp_path), torch.device("cpu"))
    assert torch.equal(reader(18).W_dec, sae.W_dec)


def test_a_missing_model_is_reported_before_any_is_loaded(tmp_path: Path, monkeypatch) -> None:
    for name in ("load_writer", "load_classifier", "load_encoder"):
        monkeypatch.setattr(models, name, lambda *_: pytest.fail("a model is loaded"))
    (tmp_path / "gemma").mkdir()
    (tmp_path / "gemma/config.json").write_text("{}")
    with pytest.raises(AssetError, match="nowhere.*parameter detector"):
        models.open_setup(
            tmp_path, str(tmp_path / "gemma"), str(tmp_path / "nowhere"), torch.device("cpu"), dtype="float32"
        )


def test_settings_survive_the_file(tmp_path: Path) -> None:
    settings = models.Settings("smollm2-135m", (1, 2), Sampling(new_tokens=5, temperature=0.5, seed=3, batch=7))
    settings.write(tmp_path)
    assert models.Settings.read(tmp_path) == settings


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "settings.json is missing or damaged"),
        ("{", "settings.json is missing or damaged"),
        ("[]", "settings.json is missing or damaged"),
        ('{"writer": "smollm2-135m", "layers": 3, "sampling": {"new_tokens": 5}}', "is missing or damaged"),
        ('{"writer": "smollm2-135m", "layers": [3], "sampling": {"words": 5}}', "is missing or damaged"),
        ('{"writer": "gpt", "layers": [3], "sampling": {"new_tokens": 5}}', "names the writer 'gpt'; the library has"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "settings.json").write_text(content)
    with pytest.raises(DataError, match=message):
        models.Settings.read(tmp_path)
