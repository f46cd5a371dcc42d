"""Memory at full size: the tensors of Stable Diffusion 1.5, counted on torch's device `meta`, which computes nothing.

The attention of GPUs since 2016 makes no matrix of scores; here a stand-in takes its place.
"""

from __future__ import annotations

import weakref

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from neoai_utils.diffusion.generation import PICTURE
from tests.diffusion.test_full_size import UNET

VAE = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 4, "sample_size": 512,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
CARD = 15.8e9  # a T4, 14.7 GiB
CONTEXT = 0.5e9  # what CUDA itself takes


class Counter(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, and their most."""

    def __init__(self, known=()):
        super().__init__()
        self.now = self.most = 0
        self._alive = {values.untyped_storage()._cdata for values in known}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Run an operation and count what it returns."""
        result = operation(*args, **(kwargs or {}))
        for values in tree_leaves(result):
            if isinstance(values, torch.Tensor):
                self._note(values.untyped_storage())
        return result

    def _note(self, storage):
        if storage._cdata not in self._alive:
            self._alive.add(storage._cdata)
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._drop, storage._cdata, storage.nbytes())

    def _drop(self, key, size):
        self._alive.discard(key)
        self.now -= size


def most_bytes(model, call):
    """Return the most bytes of tensors beside the weights during a call."""
    with torch.no_grad(), Counter(list(model.parameters())) as counter:
        call()
    return counter.most


@pytest.fixture(autouse=True)
def no_scores(monkeypatch):
    attention = "torch.nn.functional.scaled_dot_product_attention"
    monkeypatch.setattr(attention, lambda query, *_, **__: torch.empty_like(query))


@pytest.fixture
def networks():
    with torch.device("meta"):
        return UNet2DConditionModel(**UNET).half().eval(), AutoencoderKL(**VAE).half().eval()


def empty(*shape):
    return torch.empty(shape, dtype=torch.half, device="meta")


def test_a_batch_fits_a_card_of_15_gb(networks):
    unet, vae = networks
    step = torch.tensor(500, device="meta")

    def evaluated(count):
        inputs = empty(2 * count, 4, 64, 64), step, empty(2 * count, 77, 768)
        return most_bytes(unet, lambda: unet(*inputs))

    decoded = most_bytes(vae, lambda: vae.decode(empty(1, 4, 64, 64)))
    each = (evaluated(6) - evaluated(2)) / 4
    assert each < 0.15e9
    assert decoded < 0.45e9
    assert each + decoded < PICTURE / 2, "half is left for the workspaces of kernels"
    weights = sum(2 * values.numel() for model in networks for values in model.parameters()) + 0.25e9  # the texts'
    size = int(0.9 * (CARD - CONTEXT - weights) / PICTURE)
    assert size == 9
    assert CONTEXT + weights + size * PICTURE < 14e9
