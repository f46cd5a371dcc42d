"""The writer's number format by device, and the way out of float16."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from neoai_utils.errors import NotANumberError
from neoai_utils.steering import precision
from neoai_utils.steering.generation import Sampling, Writer, generate
from neoai_utils.steering.hooks import steered
from tests.steering.conftest import tiny


@pytest.mark.parametrize(
    ("device", "capability", "instructions", "expected"),
    [
        ("cuda", (7, 5), "AVX512", "float16"),
        ("cuda", (8, 0), "AVX2", "bfloat16"),
        ("cpu", None, "AVX2", "float32"),
        ("cpu", None, "AVX512", "bfloat16"),
        ("mps", None, "DEFAULT", "bfloat16"),
    ],
)
def test_the_format_is_what_the_device_computes_fast(monkeypatch, device, capability, instructions, expected) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: instructions)
    assert precision.writer_dtype(torch.device(device)) == expected


def test_a_writer_that_overflows_in_float16_goes_on_in_bfloat16(capsys: pytest.CaptureFixture) -> None:
    """Hidden states a billion times as large are infinite in float16 and ordinary numbers in bfloat16."""
    sampling, writer, wide = Sampling(new_tokens=5), tiny("llama"), tiny("llama")
    writer.model.to(torch.float16)
    wide.model.to(torch.bfloat16)

    def written(by: Writer) -> list[str]:
        with steered(by.model, {0: lambda hidden: hidden * 1e9}):
            return generate(by, ["w1 w2", "w3"], sampling)

    assert written(writer) == written(wide)
    assert writer.model.dtype == torch.bfloat16
    assert "goes on in bfloat16" in capsys.readouterr().out
    assert written(writer) == written(wide)
    assert not capsys.readouterr().out, "converted once"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_other_formats_are_not_retried(dtype: torch.dtype, capsys: pytest.CaptureFixture) -> None:
    calls = []

    @precision.retried
    def fails(writer: Writer) -> None:
        calls.append(writer.model.dtype)
        raise NotANumberError("no number")

    writer = tiny("llama")
    with pytest.raises(NotANumberError):
        fails(replace(writer, model=writer.model.to(dtype)))
    assert calls == [dtype]
    assert not capsys.readouterr().out
