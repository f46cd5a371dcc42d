"""Number formats: which one a device multiplies fastest, and what happens when numbers overflow."""

from __future__ import annotations

import pytest
import torch

from neoai_utils import number_formats
from neoai_utils.errors import NotANumberError
from neoai_utils.number_formats import in_fast_format


@pytest.fixture(autouse=True)
def exact_products() -> None:
    """Leave the processor's own number format, which is what is tested here."""


CPU = torch.device("cpu")


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16)])
def test_the_fast_number_format_of_a_card(monkeypatch, capability, dtype) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert number_formats.fast_dtype(torch.device("cuda")) == dtype


@pytest.mark.parametrize(
    ("has", "dtype"),
    [({"amx_bf16": True}, torch.bfloat16), ({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)],
)
def test_the_fast_number_format_of_a_processor(monkeypatch, has, dtype) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert number_formats.fast_dtype(CPU) == dtype


def test_a_torch_that_cannot_tell_computes_in_float32(monkeypatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert number_formats.fast_dtype(CPU) == torch.float32


def chosen(monkeypatch: pytest.MonkeyPatch, kind: torch.dtype) -> None:
    monkeypatch.setattr(number_formats, "fast_dtype", lambda _device: kind)


def test_products_are_computed_in_the_fast_format_and_returned_in_float32(monkeypatch) -> None:
    chosen(monkeypatch, torch.bfloat16)
    layer = torch.nn.Linear(8, 8)
    pixels = torch.rand(2, 8)
    kinds = []
    layer.register_forward_hook(lambda _module, _inputs, output: kinds.append(output.dtype))
    fast = in_fast_format(lambda: layer(pixels), CPU, "the output")
    assert (kinds, fast.dtype) == ([torch.bfloat16], torch.float32)
    torch.testing.assert_close(fast, layer(pixels), rtol=0.02, atol=0.02)
    assert not fast.requires_grad


def test_what_overflows_is_computed_again_in_float32(monkeypatch) -> None:
    """1e6 is infinite in float16, and infinity less infinity is NaN."""
    chosen(monkeypatch, torch.float16)
    layer = torch.nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight[:], layer.bias[:] = 1e6, 0

    def compute() -> torch.Tensor:
        output = layer(torch.ones(1, 1))
        return output - output

    assert in_fast_format(compute, CPU, "the output").tolist() == [[0.0]]


def test_nan_in_float32_is_refused(monkeypatch) -> None:
    chosen(monkeypatch, torch.bfloat16)
    with pytest.raises(NotANumberError, match="the output: .* in float32"):
        in_fast_format(lambda: torch.tensor([float("nan")]), CPU, "the output")
