"""What `import neoai_utils` costs beside bare Python; the difference is printed, nothing gates."""

from __future__ import annotations

import subprocess
import sys
import time


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def test_import(benchmark) -> None:
    """The fastest of twenty starts each, taken in turn, so that a busy machine slows both alike."""
    bare = []

    def start_bare() -> None:
        bare.append(seconds("pass"))

    benchmark.pedantic(seconds, ("import neoai_utils",), setup=start_bare, rounds=20, warmup_rounds=1)
    own, plain = 1000 * benchmark.stats["min"], 1000 * min(bare)
    print(
        f"\nimport neoai_utils: {own - plain:.1f} ms beside the {plain:.1f} ms of bare Python ({own / plain:.2f} times)"
    )
