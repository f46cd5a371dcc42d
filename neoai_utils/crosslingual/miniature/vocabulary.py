"""A multilingual encoder pruned to the tokens and layers that a small task needs.

A few thousand of XLM-R's 250,000 tokens occur in any one data set, yet the embeddings of all of them are four fifths of
a small encoder's weights. Dropping the others changes no sentence of the texts: its most probable tokenisation is still
possible, and still the most probable (Abdaoui, Pradel and Sigel 2020, "Load What You Need", 2010.05609).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from transformers import BertModel, PreTrainedTokenizerFast

__all__ = ["pruned"]


def pruned(
    model: BertModel, tokenizer: PreTrainedTokenizerFast, texts: Iterable[str], layers: int
) -> tuple[BertModel, PreTrainedTokenizerFast]:
    """Return the first layers of an encoder with the tokens that occur in some texts, and its tokenizer.

    Args:
        model: not changed.
        tokenizer: its unigram tokenizer.
        texts: their tokens are kept, and the special ones.
        layers: how many of the lowest layers to keep.

    Raises:
        ParameterError: the encoder has fewer layers, or `layers` is below 1.
    """
    if not 1 <= layers <= model.config.num_hidden_layers:
        raise ParameterError(f"layers must be between 1 and {model.config.num_hidden_layers}, got {layers}.")
    tokens = set(tokenizer.all_special_ids)
    for text in texts:
        tokens.update(tokenizer(text)["input_ids"])
    kept = sorted(tokens)
    small = copy.deepcopy(model.config)
    small.update({"num_hidden_layers": layers, "vocab_size": len(kept)})
    small.pad_token_id = kept.index(tokenizer.pad_token_id)
    result = type(model)(small, add_pooling_layer=False)
    state = {name: weight for name, weight in model.state_dict().items() if name in result.state_dict()}
    state[_TABLE] = model.state_dict()[_TABLE][torch.tensor(kept)]
    result.load_state_dict(state)
    return result.eval(), _renumbered(tokenizer, kept)


_TABLE = "embeddings.word_embeddings.weight"


def _renumbered(tokenizer: PreTrainedTokenizerFast, kept: list[int]) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    number = {old: new for new, old in enumerate(kept)}
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = content["model"]["vocab"]
    content["model"]["vocab"] = [vocabulary[old] for old in kept if old < len(vocabulary)]
    content["model"]["unk_id"] = number[content["model"]["unk_id"]]
    content["added_tokens"] = [t | {"id": number[t["id"]]} for t in content["added_tokens"] if t["id"] in number]
    for special in content["post_processor"]["special_tokens"].values():
        special["ids"] = [number[old] for old in special["ids"]]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)),
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=tokenizer.model_max_length,
        **tokenizer.special_tokens_map,
    )
