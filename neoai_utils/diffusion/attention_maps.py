"""Where a picture's places look in the text: cross-attention maps (Hertz et al. 2022, 2208.01626)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from neoai_utils.diffusion.generation import Sampling, draw
from neoai_utils.diffusion.texts import token_ids
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image

__all__ = ["attention_map"]


class _Recorder:
    """An attention processor that computes plain attention and sums up its probabilities."""

    def __init__(self) -> None:
        self.total: dict[int, Tensor] = {}

    def __call__(
        self, layer: Any, hidden: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any
    ) -> Tensor:  # fmt: skip
        """Do what `diffusers.models.attention_processor.AttnProcessor` does for a layer of Stable Diffusion 1.5."""
        text = hidden if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            layer.head_to_batch_dim(part) for part in (layer.to_q(hidden), layer.to_k(text), layer.to_v(text))
        )
        weights = layer.get_attention_scores(query, key, None)
        seen = weights.float().unflatten(0, (len(hidden), -1))[len(hidden) // 2 :].mean(dim=1)
        self.total[seen.shape[1]] = self.total.get(seen.shape[1], torch.zeros_like(seen)) + seen
        output: Tensor = layer.to_out[1](layer.to_out[0](layer.batch_to_head_dim(torch.bmm(weights, value))))
        return output


def attention_map(
    pipe: StableDiffusionPipeline, prompt: str, word: str, sampling: Sampling
) -> tuple[Image, NDArray[Any]]:  # fmt: skip
    """Draw a prompt and return the picture with the attention that its places pay to a word.

    The finest level that has cross-attention counts, averaged over layers, heads and steps.

    Args:
        pipe: the pipeline, edited or not.
        prompt: holds the word.
        word: any word of the prompt; all of its pieces count.
        sampling: steps, guidance, seed.

    Returns:
        The picture, and a map of its size, float32 in 0..1.

    Raises:
        ParameterError: the prompt does not hold the word.
    """
    pieces = pipe.tokenizer(word, add_special_tokens=False)["input_ids"]
    ids = token_ids(pipe, [prompt])[0].tolist()
    places = [at for at in range(len(ids)) if ids[at : at + len(pieces)] == pieces]
    if not places:
        raise ParameterError(f"the prompt {prompt!r} does not hold the word {word!r}.")
    recorder = _Recorder()
    with _listening(pipe, recorder):
        picture = draw(pipe, [prompt], sampling)[0]
    finest = recorder.total[max(recorder.total)][0]
    side = int(finest.shape[0] ** 0.5)
    paid = finest[:, places[0] : places[0] + len(pieces)].sum(dim=1).view(1, 1, side, side)
    shown = functional.interpolate(paid, size=picture.size[::-1], mode="bicubic", align_corners=False)[0, 0]
    low, high = shown.min(), shown.max()
    return picture, ((shown - low) / (high - low).clamp(min=1e-12)).cpu().numpy()


@contextmanager
def _listening(pipe: StableDiffusionPipeline, recorder: _Recorder) -> Iterator[None]:
    old = pipe.unet.attn_processors
    pipe.unet.set_attn_processor({k: recorder if ".attn2." in k else v for k, v in old.items()})
    try:
        yield
    finally:
        pipe.unet.set_attn_processor(old)
