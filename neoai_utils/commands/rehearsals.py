"""What a notebook takes at the competition's size: what `benchmarks/rehearse.py --record` keeps, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neoai_utils.commands.imports import ROOT
from neoai_utils.competitions import COMPETITIONS

__all__ = ["duration", "markdown", "read", "sentence"]

_RECORD = Path("benchmarks") / "rehearsed.json"


def read(folder: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Return task -> the record of its last rehearsal; empty if none is kept.

    A record holds `share` (of the rows that were played), `cores`, `cores_hours` (on these cores, continued to all
    rows), `cards_one`, `cards_two` (hours on T4s, predicted from counted operations), `resident_gb`, and `announced`
    (whether most of the hours are the notebook's own estimate; the memory is then that of the rest).

    Args:
        folder: the repository.
    """
    path = folder / _RECORD
    if not path.is_file():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def duration(hours: float) -> str:
    """Return a time in words, such as "12 min" or "5 h"; short ones are rounded up to a minute."""
    minutes = max(1, round(60 * hours))
    return f"{minutes} min" if minutes < 100 else f"{hours:.1f} h" if hours < 9.95 else f"{hours:.0f} h"


def sentence(task: str, records: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a notebook's line about the competition's size; empty without a record."""
    if task not in records:
        return ""
    found = records[task]
    cards = ", ".join(
        f"{duration(found[f'cards_{number}'])} with {name}" for number, name in (("one", "a T4"), ("two", "two"))
    )
    return (
        f"**At the competition's size**, rehearsed with random weights: about {duration(found['cores_hours'])} on "
        f"{found['cores']} CPU cores, predicted {cards} · {_memory(found)}"
    )


def _memory(found: Mapping[str, Any]) -> str:
    """Return the memory in words; that of work that was announced and not played is not known."""
    return f"{found['resident_gb']:.1f} GB" + (" without its longest work" if found["announced"] else "")


def markdown(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the README's table of all records, as Markdown; empty without records."""
    if not records:
        return ""
    cores = "/".join(sorted({str(found["cores"]) for found in records.values()}))
    head = f"| task | {cores} CPU cores | one T4 | two T4s | memory | share of the rows played |"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for task, found in sorted(records.items()):
        times = [duration(found[name]) for name in ("cores_hours", "cards_one", "cards_two")]
        facts = COMPETITIONS[task]
        cells = [f"{facts.number} · {facts.title}", *times, _memory(found), f"{found['share']:.1%}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
