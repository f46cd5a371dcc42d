"""Where the notebooks' time goes: `python benchmarks/sections.py [OUTPUTS]`, after `neoai run` or `./run_all.sh`.

Prints the sections of all last runs, the slowest first: seconds on the processor, seconds by the clock, peak memory.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

SHOWN = 25


def main(outputs: Path) -> None:
    rows = [
        (path.parent.name, section)
        for path in sorted(outputs.glob("task?/results.json"))
        for section in json.loads(path.read_text(encoding="utf-8")).get("sections", [])
    ]
    table = Table("task", "section", "CPU seconds", "seconds", "MB")
    for task, section in sorted(rows, key=lambda row: -row[1]["cpu_seconds"])[:SHOWN]:
        times = (f"{section[name]:.0f}" for name in ("cpu_seconds", "seconds"))
        table.add_row(task, section["title"], *times, f"{section['peak_memory_mb'] or 0:.0f}")
    total = sum(section["cpu_seconds"] for _, section in rows)
    Console().print(table, f"{total:.0f} CPU seconds in all", sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs"))
