"""The real assets, each by an answer known beforehand. Fetched on first use (403 MB in all), skipped out of reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.data import chelsea
from skimage.transform import resize

from neoai_utils.offline import (
    OutOfReachError,
    fetch,
    load_dinov2_small,
    load_e5_small,
    load_efficientnet_lite0,
    load_smollm2,
)

pytestmark = pytest.mark.assets


def fetched(name: str) -> Path:
    """Fetch an asset; only being out of reach is a reason to skip, a wrong content is a failure."""
    try:
        return fetch(name)
    except OutOfReachError as error:
        pytest.skip(str(error).splitlines()[0])


def embed(model: Any, tokenizer: Any, texts: list[str]) -> torch.Tensor:
    """Return the mean over the tokens, of unit length [texts, hidden]."""
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    with torch.inference_mode():
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    return torch.nn.functional.normalize((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


def test_minilm_knows_a_paraphrase() -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = fetched("minilm-l6")
    model = AutoModel.from_pretrained(folder).eval()
    table = model.get_input_embeddings().weight
    assert table.shape == (30522, 384)
    assert table.norm(dim=1).mean().item() == pytest.approx(1.066, abs=0.002)
    texts = ["A man is eating food.", "Someone is having a meal.", "The stock market fell sharply today."]
    rows = embed(model, AutoTokenizer.from_pretrained(folder), texts)
    same, other = (rows[0] @ rows[1:].T).tolist()
    assert same > 0.6
    assert abs(other) < 0.1


@pytest.fixture(scope="module")
def e5() -> tuple[Any, Any]:
    """Return the model and its tokenizer, decoded once for all tests of this file."""
    fetched("e5-small")
    return load_e5_small()


def test_e5_finds_the_translation_of_every_sentence(e5: tuple[Any, Any]) -> None:
    model, tokenizer = e5
    english = [
        "Turn on the light in the kitchen.",
        "What is the weather like tomorrow?",
        "I lost my passport at the airport.",
        "The cat is sleeping on the sofa.",
        "Parliament passed a new tax law.",
        "He plays the violin very well.",
    ]
    russian = [
        "Включи свет на кухне.",
        "Какая завтра погода?",
        "Я потерял паспорт в аэропорту.",
        "Кошка спит на диване.",
        "Парламент принял новый закон о налогах.",
        "Он очень хорошо играет на скрипке.",
    ]
    english_rows = embed(model, tokenizer, [f"query: {text}" for text in english])
    russian_rows = embed(model, tokenizer, [f"query: {text}" for text in russian])
    assert (russian_rows @ english_rows.T).argmax(1).tolist() == list(range(6))


def test_e5_cuts_words_as_xlm_r_does(e5: tuple[Any, Any]) -> None:
    _, tokenizer = e5
    assert len(tokenizer) == 250_002
    assert tokenizer.mask_token_id == 250_001
    assert tokenizer("query: Hello world")["input_ids"] == [0, 41, 1294, 12, 35378, 8999, 2]  # as published XLM-R
    assert tokenizer.decode(tokenizer("Включи  свет")["input_ids"], skip_special_tokens=True) == "Включи свет"


def test_dinov2_agrees_with_onnx_runtime() -> None:
    fetched("dinov2-small")
    model = load_dinov2_small()
    picture = chelsea()[38:262, 113:337] / 255.0
    picture = (picture - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        output = model(torch.tensor(picture.transpose(2, 0, 1)[None], dtype=torch.float32)).last_hidden_state[0]
    assert output.shape == (257, 384)
    # The same picture through the ONNX file itself in ONNX Runtime 1.32, output of /backbone/layernorm:
    # the first eight features of the class token and of patch 119, then mean and deviation of everything.
    first = [1.5518, -0.0940, -0.1813, -1.1079, 2.6334, -1.4049, 1.2867, 3.9719]
    inner = [1.1548, 2.1389, -2.1195, -1.4918, 2.6721, 0.4094, 0.3960, 2.3653]
    np.testing.assert_allclose(output[0, :8], first, atol=2e-4)
    np.testing.assert_allclose(output[120, :8], inner, atol=2e-4)
    assert output.mean().item() == pytest.approx(0.07584, abs=1e-4)
    assert output.std().item() == pytest.approx(2.24664, abs=1e-4)


def test_smollm2_continues_known_sentences() -> None:
    fetched("smollm2-135m")
    model, tokenizer = load_smollm2()

    def continued(text: str, tokens: int) -> str:
        batch = tokenizer(text, return_tensors="pt")
        written = model.generate(**batch, do_sample=False, max_new_tokens=tokens)[0, batch["input_ids"].shape[1] :]
        return str(tokenizer.decode(written))

    assert continued("The capital of France is", 2) == " Paris."
    assert continued("Once upon a time, there was a little", 3).startswith(" girl named")
    assert "<|im_start|>user" in tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)


def test_efficientnet_sees_the_cat() -> None:
    pytest.importorskip("timm")
    fetched("efficientnet-lite0")
    model = load_efficientnet_lite0()
    picture = resize(chelsea(), (224, 224), order=3, anti_aliasing=True) * 2 - 1
    with torch.inference_mode():
        logits = model(torch.tensor(picture.transpose(2, 0, 1)[None], dtype=torch.float32))
    probabilities = logits.softmax(1)[0]
    assert int(probabilities.argmax()) == 285  # Egyptian cat
    assert probabilities[285] > 0.7


@pytest.mark.parametrize(("name", "pairs"), [("wordsim353", 353), ("simlex999", 999)])
def test_the_word_lists_have_all_their_pairs(name: str, pairs: int) -> None:
    lines = fetched(name).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    assert len(rows) == pairs
    assert all(0 <= float(rating) <= 10 for _, _, rating in rows)
