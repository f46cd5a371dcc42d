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
from torch.nn import functional

from neoai_utils.steering.generation import Writer, continuation_mask, encode
from neoai_utils.steering.hooks import steered

__all__ = ["learn"]


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

    Args:
        writer: its weights get no gradient and do not change.
        prompts: (n); their tokens have no loss.
        texts: (n), the prompts with a human's continuation.
        layers: numbers of the blocks that get a vector. Those below the first one need no backward pass.
        steps: of Adam; its learning rate falls to zero.
        learning_rate: of the first step.
        batch: texts in a step.
        seed: of the order of texts.
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
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            loss = _loss(writer, [prompts[i] for i in rows], [texts[i] for i in rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return {layer: vector.detach() for layer, vector in vectors.items()}, losses


def _loss(writer: Writer, prompts: Sequence[str], texts: Sequence[str]) -> Tensor:
    """Return the mean cross-entropy of the continuations' tokens."""
    ids, mask = encode(writer, texts, side="right")
    continued, first = continuation_mask(writer, prompts, mask)
    output = writer.model(ids, attention_mask=mask, use_cache=False, logits_to_keep=ids.shape[1] - first + 1)
    labels = ids.masked_fill(~continued, -100)[:, first:]
    return functional.cross_entropy(output.logits[:, :-1].float().transpose(1, 2), labels)
