"""The model with two heads, and the encoders that it accepts."""

from __future__ import annotations

import pytest
import torch
import transformers
from tokenizers import Tokenizer

from neoai_utils.crosslingual import joint
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.joint import JointModel
from neoai_utils.crosslingual.masked_language import can_continue_pretraining, continue_pretraining
from neoai_utils.crosslingual.prediction import predict
from neoai_utils.crosslingual.training import TrainingPlan, UtteranceSource, fine_tune
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import DataError, DataWarning, ParameterError
from tests.crosslingual.conftest import LABELS, PLAY, WAKE


@pytest.fixture
def model(encoder) -> JointModel:
    return JointModel(encoder, len(LABELS.intents), len(LABELS.tags))


def test_the_loss_is_the_sum_of_both(tokenizer, model):
    batch = Collator(tokenizer, LABELS)([WAKE, PLAY])
    model.eval()
    logits = model(batch.tokens, batch.mask)
    intent = -logits.intents.log_softmax(1)[[0, 1], [1, 0]].mean()
    tagged = logits.slots.log_softmax(2)[[0, 0, 0, 1], [1, 3, 4, 1], [0, 1, 2, 0]]
    assert joint.loss(model, batch).item() == pytest.approx((intent - tagged.mean()).item(), abs=1e-5)
    assert float(joint.loss(model, Collator(tokenizer, LABELS)([Utterance(("play",))]))) == 0.0


SIZE = {
    "vocab_size": 13, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 32,
}  # fmt: skip
SPECIAL = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
DISTIL = {"vocab_size": 13, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}
ENCODERS = {
    "BERT": lambda: transformers.BertModel(transformers.BertConfig(**SIZE)),
    "BERT with its head": lambda: transformers.BertForMaskedLM(transformers.BertConfig(**SIZE)),
    "XLM-R": lambda: transformers.XLMRobertaModel(transformers.XLMRobertaConfig(**SIZE, pad_token_id=0)),
    "mDeBERTa": lambda: transformers.DebertaV2Model(transformers.DebertaV2Config(**SIZE)),
    "mmBERT": lambda: transformers.ModernBertModel(transformers.ModernBertConfig(**SIZE, **SPECIAL)),
    "DistilBERT": lambda: transformers.DistilBertModel(
        transformers.DistilBertConfig(**DISTIL, max_position_embeddings=32)
    ),
    "ELECTRA": lambda: transformers.ElectraModel(transformers.ElectraConfig(**SIZE, embedding_size=8)),
}
LONG = Utterance(("play",) * 60, "wake", ("O",) * 60)


def saved(folder, model, tokenizer):
    torch.manual_seed(0)
    model().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


STORED = [(name, torch.float32) for name in ENCODERS] + [("XLM-R", torch.float16), ("mmBERT", torch.bfloat16)]


@pytest.mark.parametrize(("name", "stored"), STORED, ids=str)
def test_every_encoder_of_transformers_learns_and_reads(tmp_path, tokenizer, name, stored):
    """Whatever its class and its stored type: it is trained in float32, on texts longer than it can read as well."""
    folder = saved(tmp_path, lambda: ENCODERS[name]().to(stored), tokenizer)
    encoder, words = joint.load_encoder(folder)
    assert {weight.dtype for weight in encoder.parameters()} == {torch.float32}
    assert getattr(encoder, "pooler", None) is None
    plan = TrainingPlan(60, batch=3, learning_rate=1e-2)
    trained = fine_tune(encoder, Collator(words, LABELS), [UtteranceSource([WAKE, PLAY, LONG])], plan, seed=0)
    answers = predict(trained, Collator(words, LABELS), [WAKE, PLAY, LONG])
    assert [LABELS.intents[index] for index in answers.intents.argmax(1)] == [u.intent for u in (WAKE, PLAY, LONG)]
    assert can_continue_pretraining(encoder, words)
    read, losses = continue_pretraining(
        encoder, words, ["wakeme at six", ("play at six", "сыграй в шесть")], 60, 0, learning_rate=1e-2
    )
    assert sum(losses[-10:]) < sum(losses[:10])
    assert read.get_input_embeddings().weight.dtype == torch.float32


def test_a_tokenizer_without_special_tokens_is_accepted(tmp_path, tokenizer):
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_padding()
    bare = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    with pytest.warns(DataWarning, match=r"has no padding token; '\[PAD\]' is used, and masked"):
        encoder, words = joint.load_encoder(saved(tmp_path, ENCODERS["BERT"], bare))
    answers = predict(joint.JointModel(encoder, 2, 3).eval(), Collator(words, LABELS), [WAKE, PLAY])
    alone = predict(joint.JointModel(encoder, 2, 3).eval(), Collator(words, LABELS), [PLAY])
    assert answers.intents.shape == (2, 2)
    assert alone.slots[0].shape == answers.slots[1].shape
    assert not can_continue_pretraining(encoder, words)
    with pytest.raises(ParameterError, match="needs a mask token"):
        continue_pretraining(encoder, words, ["play"], steps=1, seed=0)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            lambda: transformers.GPT2Model(transformers.GPT2Config(vocab_size=13, n_embd=16, n_layer=1, n_head=2)),
            "is no encoder: its first token.*does not attend to the last one. Give an encoder such as XLM-R",
        ),
        (
            lambda: transformers.T5Model(
                transformers.T5Config(vocab_size=13, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
            ),
            "t5 is an encoder with a decoder, but an encoder alone is needed",
        ),
        (
            lambda: transformers.BertModel(transformers.BertConfig(**SIZE | {"vocab_size": 7})),
            "has 13 tokens, the encoder's table only 7 rows. Give the tokenizer that belongs to it",
        ),
        (
            lambda: transformers.ViTModel(
                transformers.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
            ),
            "cannot be used as an encoder",
        ),
    ],
    ids=["decoder", "encoder and decoder", "foreign tokenizer", "pictures"],
)
def test_what_is_no_encoder_is_told(tmp_path, tokenizer, model, told):
    with pytest.raises(DataError, match=told):
        joint.load_encoder(saved(tmp_path, model, tokenizer))


def test_a_slow_tokenizer_is_told(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(type(tokenizer), "is_fast", property(lambda _: False))
    with pytest.raises(DataError, match="is not a fast one.*Put a tokenizer.json"):
        joint.load_encoder(saved(tmp_path, ENCODERS["BERT"], tokenizer))


def test_padding_changes_nothing(tokenizer, model):
    model.eval()
    alone, padded = (Collator(tokenizer, LABELS)(part) for part in ([PLAY], [PLAY, WAKE]))
    first, second = model(alone.tokens, alone.mask), model(padded.tokens, padded.mask)
    assert torch.allclose(first.intents[0], second.intents[0], atol=1e-5)
    assert torch.allclose(first.slots[0], second.slots[0, :3], atol=1e-5)


def test_an_encoder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot be loaded.*tokenizer.json"):
        joint.load_encoder(tmp_path)
