"""Which positions of a picture attend to a word: cross-attention maps (Hertz et al. 2022, 2208.01626)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from neoai_utils.arrays import Float32
from neoai_utils.diffusion.generation import Sampling, draw
from neoai_utils.diffusion.texts import token_ids
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image

__all__ = ["attention_map"]


class _Recorder:
    """An attention processor that computes plain attention and sums its probabilities by resolution."""

    def __init__(self) -> None:
        self.total: dict[int, Tensor] = {}  # positions -> (prompts, positions, tokens)

    def __call__(
        self, layer: Any, hidden: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any
    ) -> Tensor:  # fmt: skip
        """Do what `diffusers.models.attention_processor.AttnProcessor` does for a layer of Stable Diffusion 1.5."""
        text = hidden if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            layer.head_to_batch_dim(part) for part in (layer.to_q(hidden), layer.to_k(text), layer.to_v(text))
        )
        weights = layer.get_attention_scores(query, key, None)
        mean = weights.float().unflatten(0, (len(hidden), -1))[len(hidden) // 2 :].mean(dim=1)
        self.total[mean.shape[1]] = self.total.get(mean.shape[1], torch.zeros_like(mean)) + mean
        output: Tensor = layer.to_out[1](layer.to_out[0](layer.batch_to_head_dim(torch.bmm(weights, value))))
        return output


def attention_map(
    pipe: StableDiffusionPipeline, prompt: str, word: str, sampling: Sampling
) -> tuple[Image, Float32]:  # fmt: skip
    """Draw a prompt and return the picture with the attention of its positions to a word.

    The map comes from the finest resolution that has cross-attention, averaged over layers, heads and steps.

    Args:
        pipe: the pipeline, edited or not.
        prompt: contains the word.
        word: any word of the prompt; all of its tokens count.
        sampling: steps, guidance, seed.

    Returns:
        The picture, and a map of its size, (height, width) float32 from 0 to 1.

    Raises:
        ParameterError: the prompt does not contain the word.
    """
    tokens = pipe.tokenizer(word, add_special_tokens=False)["input_ids"]
    ids = token_ids(pipe, [prompt])[0].tolist()
    starts = [at for at in range(len(ids)) if ids[at : at + len(tokens)] == tokens]
    if not starts:
        raise ParameterError(f"the prompt {prompt!r} does not contain the word {word!r}.")
    recorder = _Recorder()
    with _recording(pipe, recorder):
        picture = draw(pipe, [prompt], sampling)[0]
    finest = recorder.total[max(recorder.total)][0]
    side = int(finest.shape[0] ** 0.5)
    attention = finest[:, starts[0] : starts[0] + len(tokens)].sum(dim=1).view(1, 1, side, side)
    resized = functional.interpolate(attention, size=picture.size[::-1], mode="bicubic", align_corners=False)[0, 0]
    low, high = resized.min(), resized.max()
    return picture, ((resized - low) / (high - low).clamp(min=1e-12)).cpu().numpy()


@contextmanager
def _recording(pipe: StableDiffusionPipeline, recorder: _Recorder) -> Iterator[None]:
    old = pipe.unet.attn_processors
    pipe.unet.set_attn_processor({k: recorder if ".attn2." in k else v for k, v in old.items()})
    try:
        yield
    finally:
        pipe.unet.set_attn_processor(old)
