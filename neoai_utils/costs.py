"""What each cell of a running notebook costs: seconds, and memory of the process and of the GPUs."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from neoai_utils.runtime import peak_gpu_mb, peak_memory_mb

__all__ = ["CellCost", "CellCosts"]


@dataclass(frozen=True)
class CellCost:
    """The cost of one executed cell.

    Attributes:
        cell: number of the execution, as in the cell's brackets.
        seconds: wall time.
        cpu_seconds: time of all threads of the process on the processor; other work on the machine does not change it.
        peak_memory_mb: peak memory of the process by the end of the cell, in 2**20 bytes; None if it is not known.
        peak_gpu_mb: peak memory of all GPUs by then, likewise; None without a GPU.
    """

    cell: int
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float | None
    peak_gpu_mb: float | None


class CellCosts:
    """The costs of the cells from the current one on; without a notebook there are none."""

    def __init__(self) -> None:
        """Begin with the current cell."""
        self._ended: list[CellCost] = []
        self._start, self._cpu_start = time.perf_counter(), time.process_time()
        get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
        self._shell: Any = get_ipython()
        if self._shell is not None:
            self._shell.events.register("pre_run_cell", self._begin)
            self._shell.events.register("post_run_cell", self._end)

    def rows(self) -> list[CellCost]:
        """Return the cost of each cell that ended, and of the current one up to now."""
        return [] if self._shell is None else [*self._ended, self._cost(len(self._shell.user_ns["In"]) - 1)]

    def _begin(self, info: object) -> None:
        self._start, self._cpu_start = time.perf_counter(), time.process_time()

    def _end(self, result: Any) -> None:
        self._ended.append(self._cost(result.execution_count))

    def _cost(self, cell: int) -> CellCost:
        seconds, cpu_seconds = time.perf_counter() - self._start, time.process_time() - self._cpu_start
        return CellCost(cell, round(seconds, 2), round(cpu_seconds, 2), peak_memory_mb(), peak_gpu_mb())
