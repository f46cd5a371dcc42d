"""Learnt steering vectors: a vector for each block whose addition makes human text likely.

The model stays frozen; one vector per block is trained by the usual next-token loss on human continuations, as in
rank-1 representation fine-tuning (Wu et al. 2024, ReFT, arXiv:2404.03592; AxBench, arXiv:2501.17148) with its simplest
intervention, a constant. The training uses neither the detector nor a test prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neoai_utils.runtime import progress, refuse_nan
from neoai_utils.steering.generation import Writer, encode
from neoai_utils.steering.hooks import steered
from neoai_utils.steering.losses import continuation_mask, text_bytes, token_losses
from neoai_utils.steering.memory import slices
from neoai_utils.steering.precision import retried

__all__ = ["learn"]

_MAX_LENGTH = 256  # tokens of a text: the prompt and at least as much of the continuation as is ever written


@retried
def learn(
    writer: Writer,
    prompts: Sequence[str],
    texts: Sequence[str],
    layers: Sequence[int],
    *,
    steps: int,
    learning_rate: float,
    batch: int = 16,
    seed: int = 0,
) -> tuple[dict[int, Tensor], list[float]]:
    """Return block -> vector (width) float32, and the loss of every step.

    At most 256 tokens of a text are read. Each step accumulates the gradients of its texts in parts that fit into
    memory; the loss is the mean over the tokens of all of them.

    Args:
        writer: its weights get no gradient and do not change.
        prompts: (n); their tokens have no loss.
        texts: (n), the prompts with a human's continuation.
        layers: numbers of the blocks that get a vector. Those below the first one need no backward pass.
        steps: of Adam; its learning rate falls to zero.
        learning_rate: of the first step.
        batch: texts in a step.
        seed: of the order of texts.

    Raises:
        NotANumberError: the loss is NaN.
    """
    model = writer.model
    model.requires_grad_(False)
    width = model.config.hidden_size
    vectors = {layer: torch.zeros(width, device=model.device, requires_grad=True) for layer in layers}
    optimizer = torch.optim.Adam(vectors.values(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(texts)) for _ in range(-(-steps * batch // len(texts)))])
    losses = []
    changes = {layer: (lambda hidden, v=vector: hidden + v.to(hidden)) for layer, vector in vectors.items()}
    with steered(model, changes):
        for step in progress(range(steps), "learning"):
            rows = order[step * batch : (step + 1) * batch]
            optimizer.zero_grad()
            total, count = _backward(writer, [prompts[i] for i in rows], [texts[i] for i in rows], len(layers))
            for vector in vectors.values():
                vector.grad /= count  # type: ignore[operator, assignment]
            optimizer.step()
            schedule.step()
            losses.append(total / count)
    refuse_nan(torch.stack([*vectors.values()]), "the learnt vectors", model.dtype)
    return {layer: vector.detach() for layer, vector in vectors.items()}, losses


def _backward(writer: Writer, prompts: Sequence[str], texts: Sequence[str], trained_blocks: int) -> tuple[float, int]:
    """Accumulate the gradients of the continuations' summed cross-entropy; return that sum and the number of tokens.

    The gradients of a mean over thousands of tokens would vanish in float16.
    """
    ids, mask = encode(writer, texts, side="right", max_length=_MAX_LENGTH)
    continued, first = continuation_mask(writer, prompts, mask)
    total, bytes_per_text = 0.0, text_bytes(writer.model, ids.shape[1], first, trained_blocks=trained_blocks)
    for part in slices(len(ids), bytes_per_text):
        loss = (token_losses(writer, ids[part], mask[part], first) * continued[part, first:]).sum()
        refuse_nan(loss, "the loss of the learnt vectors", writer.model.dtype)
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total, max(1, int(continued.sum()))
