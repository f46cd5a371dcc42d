"""Edits before the UNet: words whose embeddings are another word's, and the words that are worth it."""

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
    """Give the last piece of each word the embedding of the target's last piece, in the text encoder, in place.

    Raises:
        ParameterError: a word has no piece.
    """
    table = pipe.text_encoder.get_input_embeddings().weight
    goal = table[_pieces(pipe, target)[-1]].clone()
    for word in words:
        table[_pieces(pipe, word)[-1]] = goal


def _pieces(pipe: StableDiffusionPipeline, word: str) -> list[int]:
    pieces: list[int] = pipe.tokenizer(word, add_special_tokens=False)["input_ids"]
    if not pieces:
        raise ParameterError(f"the tokenizer finds no piece in {word!r}.")
    return pieces


@torch.no_grad()
def rank_words(
    pipe: StableDiffusionPipeline, source: Sequence[str], others: Sequence[str]
) -> list[tuple[str, float]]:  # fmt: skip
    """Ask the text encoder how near the whole words of its vocabulary are to what `source` means.

    A word's value is its likeness to the nearest source word minus that to the nearest of `others`: the cosines of the
    states that sum the texts up, after the vocabulary's mean is taken off.

    Args:
        pipe: whose text encoder and vocabulary are asked.
        source: words of the concept.
        others: words of other concepts, near ones above all.

    Returns:
        (word, value) in falling order; words that `source` or `others` hold are left out.
    """
    end = "</w>"
    vocabulary = sorted(
        piece.removesuffix(end) for piece in pipe.tokenizer.get_vocab() if piece.endswith(end) and piece[:-4].isalpha()
    )
    found = pooled(pipe, vocabulary).float()
    centre = found.mean(dim=0)
    known, near, far = (
        torch.nn.functional.normalize(values - centre, dim=1)
        for values in (found, pooled(pipe, source).float(), pooled(pipe, others).float())
    )
    gain = (known @ near.T).amax(dim=1) - (known @ far.T).amax(dim=1)
    given = {word for text in (*source, *others) for word in text.split()}
    ranked = gain.argsort(descending=True, stable=True).tolist()
    return [(vocabulary[place], float(gain[place])) for place in ranked if vocabulary[place] not in given]
