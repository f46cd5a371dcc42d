"""What all benchmarks share: two sides timed in one run, costs at growing sizes, and one table of both at the end.

Seconds differ from machine to machine, so nothing gates on them: a benchmark fails only if the two sides disagree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

RATIOS, CURVES = pytest.StashKey[list[str]](), pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RATIOS], config.stash[CURVES] = [], []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    tables = (
        (RATIOS, f"{'hot path':48s} {'reference':>12s} {'ours':>12s} {'times as fast':>14s}"),
        (CURVES, f"{'cost, seconds':48s} {'1x':>12s} {'2x':>12s} {'4x':>12s} {'exponent':>9s}"),
    )
    for key, head in tables:
        if config.stash[key]:
            terminalreporter.write_line("\n" + head)
            for line in config.stash[key]:
                terminalreporter.write_line(line)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


@pytest.fixture
def against(benchmark: Any, pytestconfig: pytest.Config) -> Callable[..., tuple[Any, Any]]:
    """Time ours (the best of some rounds) and the reference, put the ratio into the table, return what both found.

    `part` is the share of the whole work that is asked of a reference too slow for all of it; its seconds are
    divided by it.
    """

    def measure(
        name: str, reference: Callable[[], Any], ours: Callable[[], Any], *, rounds: int = 3, part: float = 1.0
    ) -> tuple[Any, Any]:
        seconds: list[float] = []

        def once() -> Any:
            spent, found = timed(ours)
            seconds.append(spent)
            return found

        found = benchmark.pedantic(once, rounds=rounds, warmup_rounds=1)
        slow, expected = timed(reference)
        ratio = slow / part / min(seconds)
        benchmark.extra_info["times as fast"] = round(ratio, 1)
        scaled = " *" if part < 1 else "  "
        pytestconfig.stash[RATIOS].append(
            f"{name:48s} {slow / part:10.3f} s {min(seconds):10.3f} s {ratio:12.1f}{scaled}"
        )
        return found, expected

    return measure


@pytest.fixture
def growth(pytestconfig: pytest.Config) -> Callable[..., float]:
    """Time work of one, two and four times a size; put seconds and the fitted exponent of their growth into the table.

    `prepare(size)` returns the work; it is not timed itself. The best of the rounds counts.
    """

    def measure(name: str, prepare: Callable[[int], Callable[[], Any]], size: int, *, rounds: int = 3) -> float:
        sizes: Sequence[int] = (size, 2 * size, 4 * size)
        seconds = []
        for each in sizes:
            work = prepare(each)
            work()  # warm
            seconds.append(min(timed(work)[0] for _ in range(rounds)))
        exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        shown = " ".join(f"{value:12.4f}" for value in seconds)
        pytestconfig.stash[CURVES].append(f"{f'{name} ({size:,})':48s} {shown} {exponent:9.2f}")
        return exponent

    return measure
