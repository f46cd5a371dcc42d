"""Number formats: which one a device multiplies fastest, and networks computed in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from neoai_utils.runtime import refuse_nan

if TYPE_CHECKING:
    import torch

__all__ = ["fast_dtype", "in_fast_format"]


def fast_dtype(device: torch.device) -> torch.dtype:
    """Return the number format in which a device multiplies fastest without emulation.

    bfloat16 on processors and CUDA cards that multiply it in hardware (AMX or AVX-512 BF16; compute capability 8.0 and
    above), float16 on older cards such as the T4, float32 elsewhere. The hardware is asked, and nothing is measured,
    because on a busy machine a measurement could change the scores.
    """
    import torch

    if device.type == "cpu":
        return torch.bfloat16 if _processor_has_bfloat16() else torch.float32
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16


def _processor_has_bfloat16() -> bool:
    import torch

    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions cannot tell
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))


def in_fast_format(compute: Callable[[], torch.Tensor], device: torch.device, what: str) -> torch.Tensor:
    """Return a network's output as float32; its matrix products are computed in the device's `fast_dtype`.

    Numbers can overflow in float16. Then the output has NaN, and it is computed once more in float32.

    Args:
        compute: calls the network, whose weights are float32; gradients are not recorded.
        device: where the network is.
        what: name of the output, for the message.

    Raises:
        NotANumberError: the output has NaN in float32, too.
    """
    import torch

    kind = fast_dtype(device)
    if kind != torch.float32:
        with torch.inference_mode(), torch.autocast(device.type, dtype=kind):
            found = compute().float()
        if not found.isnan().any():
            return found
    with torch.inference_mode():
        found = compute().float()
    refuse_nan(found, what)
    return found
