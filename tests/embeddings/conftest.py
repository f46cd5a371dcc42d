"""A small vocabulary with families of words, a table in which relatives are alike, and a tiny broken BERT."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from neoai_utils.embeddings import damage

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
STEMS = ["walk", "jump", "paint", "cook", "plant", "clean", "laugh", "hunt", "melt", "bark", "print", "rest"]
ENDINGS = ["", "s", "ed", "ing", "er", "ers"]
LETTERS = list("abcdefghijklmnopqrstuvwxyz") + [f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"]
WORDS = SPECIAL + LETTERS + [a + b for a, b in itertools.product(STEMS, ENDINGS)] + ["##ing", "##ed", "##er"]
SIZE = 8


def family_table(seed: int = 0) -> np.ndarray:
    """A word's row is its stem's vector plus its ending's, so spelling tells a lot; (len(WORDS), SIZE)."""
    rng = np.random.default_rng(seed)
    stem = {s: rng.normal(size=SIZE) for s in STEMS}
    ending = {e: rng.normal(size=SIZE) * 0.5 for e in ENDINGS}
    table = rng.normal(size=(len(WORDS), SIZE)) * 0.3
    for s, e in itertools.product(STEMS, ENDINGS):
        table[WORDS.index(s + e)] = stem[s] + ending[e]
    return (table + 1.0).astype(np.float32)


@pytest.fixture(scope="session")
def intact():
    return family_table()


@pytest.fixture(scope="session")
def case(intact):
    """A quarter of the inflected words is lost, one [unused] row as well."""
    rng = np.random.default_rng(1)
    inflected = [WORDS.index(s + e) for s, e in itertools.product(STEMS, ENDINGS[1:])]
    table = intact.copy()
    table[rng.choice(inflected, 15, replace=False)] = 0
    table[WORDS.index("[unused0]")] = 0
    return damage.find(table, WORDS)


@pytest.fixture(scope="session")
def contexts_case():
    """Sixty words in three groups, each with its own neighbours; spelling says nothing, a third is lost."""
    rng = np.random.default_rng(3)
    words = [f"w{i}" for i in range(60)] + [f"c{i}" for i in range(12)]
    centre = rng.normal(size=(3, 8)) * 2
    table = np.vstack([centre[np.arange(60) % 3], rng.normal(size=(12, 8))]) + 0.2 * rng.normal(size=(72, 8))
    texts = []
    for _ in range(1500):
        word = int(rng.integers(60))
        texts.append([60 + 4 * (word % 3) + int(rng.integers(4)), word, 60 + 4 * (word % 3) + int(rng.integers(4))])
    intact = table.astype(np.float32)
    broken = intact.copy()
    broken[rng.choice(60, 20, replace=False)] = 0
    return damage.find(broken, words), texts, intact


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A folder with a two-layer BERT classifier and its tokenizer, a fifth of its rows zero."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny") / "model"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    model = BertForSequenceClassification(
        BertConfig(vocab_size=len(WORDS), hidden_size=SIZE, num_hidden_layers=2, num_attention_heads=2,
                   intermediate_size=16, max_position_embeddings=128, num_labels=3)
    )  # fmt: skip
    table = model.get_input_embeddings().weight.detach().numpy().copy()
    table[0] = 0.01  # BERT starts with a zero row for [PAD]
    table = damage.break_rows(table, 20, 0, spare=range(5))
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(torch.from_numpy(table))
    model.save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture
def competition(tmp_path, tiny_model):
    """The competition's folder in its real form and size: 2,500 labelled texts, 2,499 without, ids from 5000."""
    import shutil

    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS[len(SPECIAL) + 52 :], 8)) + ', "well"' for _ in range(4999)]
    labels = rng.choice(["neutral", "positive", "negative"], 2500)
    pd.DataFrame({"id": range(2500), "text": texts[:2500], "labels": labels}).to_csv(
        tmp_path / "val_dataset.csv", index=False
    )
    pd.DataFrame({"id": range(5000, 7499), "text": texts[2500:]}).to_csv(tmp_path / "test.csv", index=False)
    shutil.copytree(tiny_model, tmp_path / "model")
    return tmp_path
