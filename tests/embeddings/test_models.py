"""The broken model: what loads, what is refused, and its embedding table."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from neoai_utils.embeddings import damage, models
from neoai_utils.errors import DataError, NeoaiError


def test_model_loads_with_its_table(competition):
    model, tokenizer = models.load(competition / "model")
    table, words = models.embedding_table(model, tokenizer)
    assert len(words) == len(table) == 134
    assert words[:3] == ("[PAD]", "[UNK]", "[CLS]")
    assert (~table.any(axis=1)).sum() == 20
    table[:] = 1  # a copy: the model keeps its own
    assert not (model.get_input_embeddings().weight == 1).all()


@pytest.mark.parametrize("rows", [1, 64])
def test_a_table_padded_to_a_round_number_is_cut(competition, rows):
    from transformers import AutoModelForSequenceClassification

    folder = competition / "model"
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    words = model.config.vocab_size
    model.resize_token_embeddings(words + rows)
    with torch.no_grad():
        model.get_input_embeddings().weight[words:] = 0
    model.save_pretrained(folder)
    padded, tokenizer = models.load(folder)
    table, names = models.embedding_table(padded, tokenizer)
    assert len(table) == len(names) == words
    broken = damage.find(table, names)
    assert broken.lost.max() < words, "padding rows are not lost ones"
    models.set_embedding_table(padded, damage.repaired(broken, np.ones((len(broken.lost), table.shape[1]), np.float32)))
    weight = padded.get_input_embeddings().weight
    assert weight.shape[0] == words + rows
    assert bool((weight[broken.lost] == 1).all())
    assert not weight[words:].any()


def test_a_table_with_too_few_rows_is_refused(competition):
    from transformers import AutoModelForSequenceClassification

    folder = competition / "model"
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    model.resize_token_embeddings(model.config.vocab_size - 1)
    model.save_pretrained(folder)
    with pytest.raises(DataError, match="tokens but the embedding table"):
        models.load(folder)


def test_vocabulary_that_does_not_fit_is_refused(competition):
    path = competition / "model" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"]["surplus"] = len(tokenizer["model"]["vocab"])
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(DataError, match="135 tokens but the embedding table 134 rows"):
        models.load(competition / "model")


def test_model_with_other_classes_is_refused(competition):
    from transformers import BertForSequenceClassification

    folder = competition / "model"
    model = BertForSequenceClassification.from_pretrained(folder, num_labels=2, ignore_mismatched_sizes=True)
    model.save_pretrained(folder)
    with pytest.raises(DataError, match="has 2 classes"):
        models.load(competition / "model")


def test_weights_under_the_name_of_a_wrapper_are_refused(competition):
    """transformers would go on with random weights."""
    from safetensors.torch import load_file, save_file

    path = competition / "model" / "model.safetensors"
    state = load_file(path)
    save_file({f"module.{name}": values for name, values in state.items()}, path, metadata={"format": "pt"})
    with pytest.raises(
        DataError, match=r"model lacks the weights .* and \d+ more but holds module\..*without what wraps"
    ):
        models.load(competition / "model")
    save_file({n: v for n, v in state.items() if n != "classifier.weight"}, path, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"model lacks the weights classifier\.weight\. Save"):
        models.load(competition / "model")


def test_a_hub_model_out_of_reach_names_the_remedy(monkeypatch):
    import transformers

    def refuse(name):
        raise OSError(f"cannot reach {name}")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", refuse)
    with pytest.raises(NeoaiError, match="Switch the network on, or put the model into the folder `model`"):
        models.load("somebody/broken")


def test_setting_changes_the_table_and_nothing_else(tiny_model):
    model, tokenizer = models.load(tiny_model)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    table, words = models.embedding_table(model, tokenizer)
    case = damage.find(table, words)
    models.set_embedding_table(model, damage.repaired(case, np.ones((len(case.lost), 8), np.float32)))
    changed = [k for k, v in model.state_dict().items() if not torch.equal(v, before[k])]
    assert changed == ["bert.embeddings.word_embeddings.weight"]


def test_folders_without_a_model_are_refused(competition):
    (competition / "model" / "config.json").unlink()
    with pytest.raises(DataError, match="does not load as a classifier"):
        models.load(competition / "model")
