"""Edits before the UNet: words whose embeddings become another word's, and a ranking of the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from neoai_utils.diffusion.texts import pooled
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["rank_words", "redirect_words"]


@torch.no_grad()
def redirect_words(pipe: StableDiffusionPipeline, words: Sequence[str], target: str) -> None:
    """Give the last token of each word the embedding of the target's last token, in the text encoder, in place.

    Raises:
        ParameterError: a word has no token.
    """
    table = pipe.text_encoder.get_input_embeddings().weight
    goal = table[_word_tokens(pipe, target)[-1]].clone()
    for word in words:
        table[_word_tokens(pipe, word)[-1]] = goal


def _word_tokens(pipe: StableDiffusionPipeline, word: str) -> list[int]:
    ids: list[int] = pipe.tokenizer(word, add_special_tokens=False)["input_ids"]
    if not ids:
        raise ParameterError(f"the tokenizer gives no token for {word!r}.")
    return ids


@torch.no_grad()
def rank_words(
    pipe: StableDiffusionPipeline, source: Sequence[str], others: Sequence[str]
) -> list[tuple[str, float]]:  # fmt: skip
    """Rank the whole words of the text encoder's vocabulary by their similarity to `source`.

    A word's value is its similarity to the nearest source word minus that to the nearest of `others`: cosines of the
    pooled states, after the vocabulary's mean is subtracted.

    Args:
        pipe: provides text encoder and vocabulary.
        source: words of the concept.
        others: words of other concepts, near ones above all.

    Returns:
        (word, value), highest value first; words that occur in `source` or `others` are left out.
    """
    end = "</w>"
    vocabulary = sorted(
        token.removesuffix(end) for token in pipe.tokenizer.get_vocab() if token.endswith(end) and token[:-4].isalpha()
    )
    states = pooled(pipe, vocabulary).float()
    centre = states.mean(dim=0)
    unit, near, far = (
        torch.nn.functional.normalize(values - centre, dim=1)
        for values in (states, pooled(pipe, source).float(), pooled(pipe, others).float())
    )
    value = (unit @ near.T).amax(dim=1) - (unit @ far.T).amax(dim=1)
    excluded = {word for text in (*source, *others) for word in text.split()}
    ranked = value.argsort(descending=True, stable=True).tolist()
    return [(vocabulary[index], float(value[index])) for index in ranked if vocabulary[index] not in excluded]
