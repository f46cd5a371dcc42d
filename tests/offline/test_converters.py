"""The converters on small files in the same formats, written here with known contents."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from transformers import BertConfig, BertModel

from neoai_utils.errors import AssetError
from neoai_utils.offline import e5, smollm2
from neoai_utils.offline.checkpoints import load_strictly, need
from neoai_utils.offline.dinov2 import backbone_weights
from neoai_utils.offline.efficientnet import timm_names

# ---- Q4_0 and the E5S1 file


def encode_q4_0(steps: np.ndarray, scales: np.ndarray) -> bytes:
    """Write blocks [n, 32] of steps 0..15 and scales [n] one value at a time, as the format's definition says."""
    raw = b""
    for row, scale in zip(steps.tolist(), scales.tolist(), strict=True):
        raw += struct.pack("<e", scale) + bytes(row[j] | row[j + 16] << 4 for j in range(16))
    return raw


def test_a_block_written_by_hand() -> None:
    raw = struct.pack("<e", 0.5) + bytes([0xF0, 0x8A] + [0x88] * 14)
    weights = e5.dequantise_q4_0(np.frombuffer(raw, np.uint8))
    assert weights[[0, 16]].tolist() == [-4.0, 3.5]  # low four bits 0, high four bits 15
    assert weights[[1, 17]].tolist() == [1.0, 0.0]
    assert not weights[2:16].any() and not weights[18:].any()


@settings(max_examples=50)
@given(
    steps=hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.just(32)), elements=st.integers(0, 15)),
    scale=st.floats(-100, 100, width=16),
)
def test_decoding_undoes_encoding_exactly(steps: np.ndarray, scale: float) -> None:
    raw = encode_q4_0(steps, np.full(len(steps), scale))
    expected = (steps.astype(np.float64) - 8) * scale
    np.testing.assert_array_equal(e5.dequantise_q4_0(np.frombuffer(raw, np.uint8)), expected.reshape(-1))


PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a", "ab", "▁ab", "<mask>"]
HIDDEN, WIDE, POSITIONS, ROWS = 32, 64, 16, 12


def e5_file(version: int = 1) -> tuple[bytes, dict[str, np.ndarray]]:
    """Write a one-layer E5S1 file; return it and the true values of its tensors."""
    rng = np.random.default_rng(0)
    shapes = {"emb.word": (ROWS, HIDDEN), "emb.pos": (POSITIONS, HIDDEN), "emb.type": (2, HIDDEN)}
    shapes |= {"emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    shapes |= {f"l0.{name}.w": (HIDDEN, HIDDEN) for name in ("q", "k", "v", "ao")}
    shapes |= {"l0.fi.w": (WIDE, HIDDEN), "l0.fo.w": (HIDDEN, WIDE)}
    shapes |= {f"l0.{name}.b": (HIDDEN,) for name in ("q", "k", "v", "ao", "fo")} | {"l0.fi.b": (WIDE,)}
    shapes |= {f"l0.{name}.{part}": (HIDDEN,) for name in ("aln", "oln") for part in "wb"}

    head = b"E5S1" + struct.pack("<I7ifi", version, HIDDEN, 1, 2, WIDE, ROWS, POSITIONS, 2, 1e-12, 32)
    texts = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, texts)])
    scores = [0.0] * 4 + [-3.0, -2.0, -2.0, -3.0, -2.5, -1.0, 0.0]
    head += struct.pack("<5iQ", len(texts), 0, 2, 1, 3, offsets[-1])
    head += offsets.astype("<u4").tobytes() + np.array(scores, "<f4").tobytes() + b"".join(texts)
    head += struct.pack("<iI", 1, 5) + b"skip!" + struct.pack("<i", len(shapes))

    values, raws = {}, {}
    for name, shape in shapes.items():
        if name == "emb.word" or (len(shape) == 2 and name.startswith("l0")):
            steps = rng.integers(0, 16, (np.prod(shape) // 32, 32))
            values[name] = ((steps - 8) * 0.25).reshape(shape)
            raws[name] = encode_q4_0(steps, np.full(len(steps), 0.25))
        else:
            values[name] = rng.standard_normal(shape).astype(np.float32)
            raws[name] = values[name].tobytes()
    place = len(head) + sum(len(name) + 23 for name in shapes)
    directory = b""
    for name, raw in raws.items():
        quantised = len(raw) != 4 * values[name].size
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", quantised, values[name].size, place, len(raw))
        place += len(raw)
    return head + directory + b"".join(raws.values()), values


def test_an_e5_file_becomes_a_bert_model_with_its_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, values = e5_file()
    (tmp_path / "toy.bin").write_bytes(content)
    monkeypatch.setattr(e5, "fetch", lambda name: tmp_path / "toy.bin")
    model, tokenizer = e5.load_e5_small()
    layer = model.encoder.layer[0]
    for weight, name in (
        (model.embeddings.word_embeddings.weight, "emb.word"),
        (model.embeddings.position_embeddings.weight, "emb.pos"),
        (layer.attention.self.key.weight, "l0.k.w"),
        (layer.attention.output.dense.bias, "l0.ao.b"),
        (layer.attention.output.LayerNorm.weight, "l0.aln.w"),
        (layer.intermediate.dense.weight, "l0.fi.w"),
        (layer.output.dense.weight, "l0.fo.w"),
        (layer.output.LayerNorm.bias, "l0.oln.b"),
    ):
        np.testing.assert_array_equal(weight.detach().numpy(), values[name], err_msg=name)
    assert not model.training
    assert model.config.layer_norm_eps == pytest.approx(1e-12)

    batch = tokenizer(["ab  a", "a"], padding=True, return_tensors="pt")
    assert batch["input_ids"].tolist() == [[0, 9, 7, 2], [0, 7, 2, 1]]
    assert sorted(batch) == ["attention_mask", "input_ids"]
    assert tokenizer.decode([9, 7]) == "ab a"
    assert model(**batch).last_hidden_state.isfinite().all()


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.999])
def test_a_cut_e5_file_is_refused(share: float) -> None:
    content, _ = e5_file()
    with pytest.raises(AssetError, match="E5S1"):
        e5.read_e5(content[: int(share * len(content))])


def test_other_files_are_refused() -> None:
    with pytest.raises(AssetError, match="begins with b'GGUF'"):
        e5.read_e5(b"GGUF" + bytes(100))
    with pytest.raises(AssetError, match="version 2"):
        e5.read_e5(e5_file(version=2)[0])


# ---- the ONNX graph of DINOv2


def onnx_graph(*, with_grid: bool = True) -> tuple[Any, dict[str, np.ndarray]]:
    """Write a graph as the exporter does: anonymous transposed linear weights, split position table."""
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(0)
    name = "backbone.encoder.layer.0.{}"
    constants = {
        name.format("norm1.weight"): rng.standard_normal(384),
        name.format("attention.attention.query.bias"): rng.standard_normal(384),
        name.format("mlp.fc1.bias"): rng.standard_normal(8),
        "onnx::MatMul_1": rng.standard_normal((384, 384)),
        "onnx::MatMul_2": rng.standard_normal((384, 8)),
        "onnx::Concat_3": rng.standard_normal((1, 1, 384)),
        "onnx::MatMul_5": rng.standard_normal((384, 3)),  # of the decoder: its bias has no place in the backbone
        "decoder.bias": rng.standard_normal(3),
    }
    if with_grid:
        constants["onnx::Reshape_4"] = rng.standard_normal((1, 1369, 384))
    constants = {key: value.astype(np.float32) for key, value in constants.items()}
    nodes = [
        helper.make_node("MatMul", ["x", "onnx::MatMul_1"], ["q"]),
        helper.make_node("Add", [name.format("attention.attention.query.bias"), "q"], ["q_biased"]),
        helper.make_node("MatMul", ["x", "onnx::MatMul_2"], ["f"]),
        helper.make_node("Add", ["f", name.format("mlp.fc1.bias")], ["f_biased"]),
        helper.make_node("MatMul", ["q_biased", "x"], ["scores"]),
        helper.make_node("MatMul", ["x", "onnx::MatMul_5"], ["d"]),
        helper.make_node("Add", ["d", "decoder.bias"], ["d_biased"]),
        helper.make_node("Add", ["scores", "x"], ["sum"]),
    ]
    tensors = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    return helper.make_graph(nodes, "toy", [], [], initializer=tensors), constants


def test_anonymous_linear_weights_are_found_by_their_bias() -> None:
    graph, constants = onnx_graph()
    state = {name: weight.numpy() for name, weight in backbone_weights(graph).items()}
    layer = "encoder.layer.0."
    expected = {
        layer + "norm1.weight": constants["backbone.encoder.layer.0.norm1.weight"],
        layer + "attention.attention.query.bias": constants["backbone.encoder.layer.0.attention.attention.query.bias"],
        layer + "attention.attention.query.weight": constants["onnx::MatMul_1"].T,
        layer + "mlp.fc1.bias": constants["backbone.encoder.layer.0.mlp.fc1.bias"],
        layer + "mlp.fc1.weight": constants["onnx::MatMul_2"].T,
        "embeddings.position_embeddings": np.concatenate(
            [constants["onnx::Concat_3"], constants["onnx::Reshape_4"]], axis=1
        ),
        "embeddings.mask_token": np.zeros((1, 384)),
    }
    assert sorted(state) == sorted(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name], value, err_msg=name)


def test_a_graph_without_positions_is_refused() -> None:
    with pytest.raises(AssetError, match="no position table of 1 [+] 1369 rows"):
        backbone_weights(onnx_graph(with_grid=False)[0])


# ---- EfficientNet's names


def test_blocks_are_counted_within_stages() -> None:
    known = {
        "_conv_stem.weight": "conv_stem.weight",
        "_bn1.running_var": "bn2.running_var",
        "_blocks.0._depthwise_conv.weight": "blocks.0.0.conv_dw.weight",
        "_blocks.0._project_conv.weight": "blocks.0.0.conv_pw.weight",
        "_blocks.1._expand_conv.weight": "blocks.1.0.conv_pw.weight",
        "_blocks.2._bn2.bias": "blocks.1.1.bn3.bias",
        "_blocks.3._project_conv.weight": "blocks.2.0.conv_pwl.weight",
        "_fc.bias": "classifier.bias",
    }
    state = {name: torch.tensor(float(number)) for number, name in enumerate(known)}
    renamed = timm_names(state, stages=[1, 2, 2])
    assert list(renamed) == list(known.values())
    assert [weight.item() for weight in renamed.values()] == list(range(len(known)))


# ---- a GGUF file


@pytest.fixture
def tiny_gguf(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Write a one-layer Llama in Q4_1 with the vocabulary of single letters; return it and its weights."""
    import gguf

    path = tmp_path / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in (("context_length", 64), ("embedding_length", 64), ("block_count", 1)):
        getattr(writer, f"add_{key}")(value)
    writer.add_name("tiny")
    writer.add_feed_forward_length(96)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100_000.0)
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefghijklmnopqrstuvwxyz", "Ġ", "ab", "cd"]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_token_merges(["a b", "c d"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    rng = np.random.default_rng(0)
    shapes = {"token_embd": (len(tokens), 64), "blk.0.attn_q": (64, 64), "blk.0.attn_k": (32, 64)}
    shapes |= {"blk.0.attn_v": (32, 64), "blk.0.attn_output": (64, 64), "blk.0.ffn_gate": (96, 64)}
    shapes |= {"blk.0.ffn_up": (96, 64), "blk.0.ffn_down": (64, 96)}
    weights = {}
    for name, shape in shapes.items():
        kind = gguf.GGMLQuantizationType.Q4_1
        packed = gguf.quants.quantize(rng.standard_normal(shape).astype(np.float32), kind)
        weights[name] = gguf.quants.dequantize(packed, kind)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=kind)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        weights[name] = rng.standard_normal(64).astype(np.float32)
        writer.add_tensor(f"{name}.weight", weights[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path, weights


def test_a_gguf_file_is_converted_once(
    tiny_gguf: tuple[Path, dict[str, np.ndarray]], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, weights = tiny_gguf
    reads = []

    def fetch(name: str) -> Path:
        reads.append(name)
        return path

    monkeypatch.setattr(smollm2, "fetch", fetch)
    model, tokenizer = smollm2.load_smollm2()
    layer = model.model.layers[0]
    for weight, name in (
        (model.model.embed_tokens.weight, "token_embd"),
        (model.lm_head.weight, "token_embd"),
        (layer.self_attn.v_proj.weight, "blk.0.attn_v"),
        (layer.mlp.down_proj.weight, "blk.0.ffn_down"),
        (model.model.norm.weight, "output_norm"),
    ):
        np.testing.assert_array_equal(weight.detach().numpy(), weights[name], err_msg=name)
    assert model.dtype == torch.float32
    assert tokenizer("abba", add_special_tokens=False)["input_ids"] == [30, 4, 3]

    prompt = torch.tensor([[1, 5, 9]])
    expected = model(prompt).logits
    again, tokenizer = smollm2.load_smollm2()
    assert reads == ["smollm2-135m"]
    torch.testing.assert_close(again(prompt).logits, expected, rtol=0, atol=0)
    assert tokenizer("abba", add_special_tokens=False)["input_ids"] == [30, 4, 3]

    (kept,) = cache.glob("assets/*/model.safetensors")
    damaged = bytearray(kept.read_bytes())
    damaged[-1] ^= 1
    kept.write_bytes(damaged)
    repaired, _ = smollm2.load_smollm2()
    assert reads == ["smollm2-135m"] * 2
    torch.testing.assert_close(repaired(prompt).logits, expected, rtol=0, atol=0)


# ---- loading strictly


def tiny_bert() -> tuple[BertConfig, dict[str, torch.Tensor]]:
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    return config, {name: weight.clone() for name, weight in BertModel(config).state_dict().items()}


def test_every_weight_arrives() -> None:
    config, state = tiny_bert()
    model = load_strictly(BertModel, None, config=config, state_dict=dict(state))
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, state[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("pooler.dense.bias"), "missing_keys.*pooler.dense.bias"),
        (lambda state: state.update(spare=torch.zeros(2)), "unexpected_keys.*spare"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: Callable[[dict[str, torch.Tensor]], Any], message: str) -> None:
    config, state = tiny_bert()
    change(state)
    with pytest.raises(AssetError, match=message):
        load_strictly(BertModel, None, config=config, state_dict=state)


def test_loading_draws_no_bar_and_leaves_the_bars_of_others(capfd: pytest.CaptureFixture[str]) -> None:
    from tqdm.auto import tqdm

    config, state = tiny_bert()
    load_strictly(BertModel, None, config=config, state_dict=state)
    assert "it/s" not in capfd.readouterr().err
    list(tqdm(range(3)))
    assert "3/3" in capfd.readouterr().err


def test_a_missing_package_is_named_with_the_remedy() -> None:
    need("json", purpose="this test")
    with pytest.raises(AssetError, match="reading X needs no_such_package: pip install no_such_package"):
        need("json", "no_such_package", purpose="reading X")
