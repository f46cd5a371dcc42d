"""Run in a kernel as it starts: counts the multiplications and additions of torch's products, cell by cell.

After each cell the total so far is appended as a line to `counts.txt` in the folder that `$NEOAI_COUNTS` names. The
counts say how long the same cell would take on a card whose speed is known. The hours that a notebook estimates before
it starts its longest work are written to `announced.txt` there.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def _linear(inputs: Tensor, weight: Tensor, *_: Any, **__: Any) -> int:
    return 2 * inputs.numel() * int(weight.shape[0])


def _matmul(left: Tensor, right: Tensor, *, out_val: Tensor) -> int:
    return 2 * out_val.numel() * int(left.shape[-1])


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
    return 2 * query.numel() * int(key.shape[-2]) + 2 * query[..., 0].numel() * int(key.shape[-2] * value.shape[-1])


# Composite operators that inference mode leaves whole. Taken apart, they would use other kernels, which can hold copies
# of the weights in float32.
_WHOLE = {
    torch.ops.aten.linear: _linear,
    torch.ops.aten.matmul: _matmul,
    torch.ops.aten.scaled_dot_product_attention: _attention,
}


class Total:
    """A number of operations that several threads add to."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.count = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Add."""
        with self._lock:
            self.count += count


class Products(TorchDispatchMode):
    """Counts in the thread that enters it: two operations for each multiplication with its addition."""

    def __init__(self, total: Total) -> None:
        """Add to a total."""
        super().__init__()
        self._total = total

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call an operator and add its count; another composite one, as inference mode leaves it, in its parts."""
        kwargs = kwargs or {}
        count = flop_registry.get(func._overloadpacket) or _WHOLE.get(func._overloadpacket)
        if count is None:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if count is not None:
            self._total.add(count(*args, **kwargs, out_val=result))
        return result


def start(folder: Path) -> None:
    """Count from now on, in this thread and in new ones, and append the total to a file after each cell."""
    from IPython import get_ipython

    from neoai_utils import runtime

    total = Total()
    Products(total).__enter__()
    run = threading.Thread.run

    def counted(thread: threading.Thread) -> None:
        with Products(total):
            run(thread)

    threading.Thread.run = counted  # type: ignore[method-assign]

    def note(_result: object) -> None:
        with (folder / "counts.txt").open("a", encoding="ascii") as file:
            file.write(f"{total.count}\n")

    def announce(work: str, hours: float, remedy: str) -> None:
        (folder / "announced.txt").write_text(str(hours), encoding="ascii")
        tell(work, hours, remedy)

    tell, runtime.announce_hours = runtime.announce_hours, announce  # before any module imports it
    get_ipython().events.register("post_run_cell", note)


if "NEOAI_COUNTS" in os.environ:
    start(Path(os.environ["NEOAI_COUNTS"]))
