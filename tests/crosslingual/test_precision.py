"""Half precision on the CPU, where it is slow and computes the same; the way back to float32."""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator
from torch import nn
from transformers import XLMRobertaConfig, XLMRobertaModel

from neoai_utils.crosslingual import training
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.joint import JointModel
from neoai_utils.crosslingual.precision import Updates, in_float32_if_nan
from neoai_utils.crosslingual.prediction import labelled, predict
from neoai_utils.crosslingual.training import TrainingPlan, UtteranceSource, fine_tune
from neoai_utils.errors import NotANumberError
from tests.crosslingual.conftest import LABELS, PLAY, WAKE

PLAN = TrainingPlan(steps=80, batch=4, learning_rate=1e-2)
BOTH = [UtteranceSource([WAKE, PLAY])]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_learns_in_half_precision_and_the_weights_stay_in_float32(monkeypatch, encoder, tokenizer, dtype):
    monkeypatch.setattr(training, "fast_dtype", lambda _: dtype)
    collate = Collator(tokenizer, LABELS)
    model = fine_tune(encoder, collate, BOTH, PLAN, seed=0)
    assert {weights.dtype for weights in model.parameters()} == {torch.float32}
    assert labelled([WAKE, PLAY], predict(model, collate, [WAKE, PLAY]), LABELS) == [WAKE, PLAY]


def test_nan_in_half_precision_is_trained_again_in_float32(monkeypatch, encoder, tokenizer, capsys):
    plain = fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, PLAN, seed=0).state_dict()
    monkeypatch.setattr(training, "fast_dtype", lambda _: torch.bfloat16)
    compute = training.loss

    def overflow(model, batch):
        value = compute(model, batch)
        return value * float("nan") if torch.is_autocast_enabled("cpu") else value

    monkeypatch.setattr(training, "loss", overflow)
    again = fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, PLAN, seed=0).state_dict()
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    assert capsys.readouterr().out == "The loss became NaN in bfloat16; trained again in float32.\n"


def test_nan_in_float32_is_an_error(capsys):
    def train(dtype: torch.dtype) -> None:
        raise NotANumberError(str(dtype))

    with pytest.raises(NotANumberError, match="float32"):
        in_float32_if_nan(train, torch.float16)
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_step_is_a_plain_clipped_step(dtype):
    """Scaled, unscaled and clipped gradients move the weights as plain ones do."""
    accelerator = Accelerator()
    models = [nn.Linear(3, 1, bias=False) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.5) for model in models]
    inputs = torch.randn(4, 3)
    model, optimizer = accelerator.prepare(models[0], optimizers[0])
    Updates(accelerator, dtype, max_norm=0.1).step(model(inputs).square().mean(), model, optimizer, last=True)
    models[1](inputs).square().mean().backward()
    nn.utils.clip_grad_norm_(models[1].parameters(), 0.1)
    optimizers[1].step()
    torch.testing.assert_close(models[0].weight, models[1].weight)


def kept_for_the_gradient(layers: int, sentences: int = 4, length: int = 64) -> int:
    """Return the bytes that XLM-R base's shapes, with fewer layers, keep for the backward pass in float32."""
    config = XLMRobertaConfig(vocab_size=99, max_position_embeddings=514, type_vocab_size=1, num_hidden_layers=layers)
    model = JointModel(XLMRobertaModel(config, add_pooling_layer=False), intents=20, tags=70).train()
    weights = {values.untyped_storage().data_ptr() for values in model.parameters()}
    kept = {}

    def keep(values: torch.Tensor) -> torch.Tensor:
        storage = values.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = values
        return values

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda values: values):
        output = model(torch.full((sentences, length), 5), torch.ones(sentences, length, dtype=torch.long))
    assert output.slots.shape == (sentences, length, 70)
    return sum(values.untyped_storage().nbytes() for values in kept.values())


def test_a_training_of_the_real_encoder_fits_on_a_small_card():
    """Weights, gradients and AdamW's moments of 278 million numbers, and what 64 sentences of 64 tokens keep."""
    one, two = kept_for_the_gradient(1), kept_for_the_gradient(2)
    states = (one + 11 * (two - one)) * 64 / 4
    assert states < 3.3e9
    assert states + 278e6 * 4 * 4 + 278e6 * 2 < 14e9
