"""Rehearse a notebook in the competition's exact size: `python benchmarks/rehearse.py 7 --share 0.02 --device cpu`.

Writes a folder of the real file counts and network shapes with random weights (`real_size`), plays the notebook on it
as it plays a competition's files, and prints for each cell the seconds, the most resident memory of the kernel and the
most memory of the GPU, then the totals beside what Kaggle gives.

With a share below 1 the notebook is played twice, at half the share and at the share, and each cell's seconds and
memory are continued along the line through both (`continued`). Cells that scale are marked with ~. Scores mean nothing
here.

On a CPU the products of torch are counted (`counting`), which says how long a T4 would take: a cell in which they take
more than a tenth of its time at this machine's speed is taken to run on the card, at `T4` operations a second, every
other cell on the processor as here.

A notebook whose longest work grows with more than the rows (epochs, steps, tokens times prompts) is played with small
parameters, once. `--announced` then plays it on all rows and with its own parameters up to the cell in which it times a
unit of that work and says how many hours all of it takes here, and adds these hours; nothing else is continued.
`--record all` keeps the totals in `rehearsed.json`; `neoai address` writes them into the notebooks and the README.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import real_size
from neoai_utils import storage
from neoai_utils.commands import notebooks

T4 = {2: 7e12, 4: 3e12}
"""Bytes of a number -> operations a second that a T4 sustains, cautiously: a tenth and a third of what it is sold with.

Stable Diffusion 1.5 draws a picture of 50 steps, 68e12 operations, in about 7 seconds on it in half precision.
"""
HALF, TWO_CARDS = ("task3", "task6", "task8"), ("task6",)  # computed in half precision on a T4; on both T4s
ON_CARDS = {"task3": {"validation_prompts": 200}}
"""Task -> parameters whose defaults are larger on a GPU than on a CPU."""
RECORD = Path(__file__).with_name("rehearsed.json")
_ANNOUNCES = re.compile(r"^\s*(\w+\.)?announce\w*\(", re.MULTILINE)
LIMITS = "Kaggle: 12 hours, 4 cores, 30 GB of memory, two T4 of 15 GB each"


@dataclass
class Cost:
    """What a cell took.

    Attributes:
        title: the heading above it and its first line of code.
        seconds: wall time.
        resident: the kernel's most resident memory, GB.
        gpu: the most memory in use on the GPU, GB; None without a GPU.
        products: operations of torch's products; 0 where they are not counted.
        processor: seconds of the processor in all threads, which other programs hardly change.
    """

    title: str
    seconds: float = 0.0
    resident: float = 0.0
    gpu: float | None = None
    products: float = 0.0
    processor: float = 0.0


class Sampler(threading.Thread):
    """Notes the most memory of a process, and of the GPU, since the last `take`."""

    def __init__(self, pid: int, gpu: bool) -> None:
        """Sample a process ten times a second."""
        super().__init__(daemon=True)
        import psutil

        self._process, self._gpu, self._most = psutil.Process(pid), gpu, (0.0, 0.0)
        self._ended = threading.Event()

    def run(self) -> None:
        """Sample until the process or the sampler ends."""
        import psutil

        while not self._ended.wait(0.1):
            try:
                resident = self._process.memory_info().rss / 2**30
            except psutil.Error:
                return
            self._most = (max(self._most[0], resident), max(self._most[1], _gpu_memory() if self._gpu else 0.0))

    def processor(self) -> float:
        """Return the seconds of the processor so far."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def take(self) -> tuple[float, float]:
        """Return the most (resident, GPU) memory in GB since the last call."""
        most, self._most = self._most, (0.0, 0.0)
        return most

    def stop(self) -> None:
        """End."""
        self._ended.set()


def _gpu_memory() -> float:
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return max((float(line) for line in done.stdout.split()), default=0.0) / 1024


def play(task: str, data: Path, parameters: Mapping[str, object], out: Path, *, announced: bool = False) -> list[Cost]:
    """Play a notebook on a folder of the competition's files and return the cost of each code cell.

    Args:
        task: its name.
        data: the folder.
        parameters: of the notebook.
        out: folder of the outputs.
        announced: stop behind the cell that announces the hours of the longest work.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    import nbclient
    import nbformat
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    notebook = Path(__file__).resolve().parent.parent / "notebooks" / f"{task}.ipynb"
    book: Any = load_notebook_node(str(notebook))
    values = {"data_dir": str(data), "out_dir": str(out), **parameters}
    book = parameterize_notebook(book, values)
    if announced:
        last = next(number for number, cell in enumerate(book.cells) if _ANNOUNCES.search(cell.source))
        del book.cells[last + 1 :]
    costs, started, heading = [], [0.0, 0.0], [""]
    samplers: list[Sampler] = []
    gpu = bool(shutil.which("nvidia-smi")) and os.environ.get("CUDA_VISIBLE_DEVICES") != ""
    counts = out / "counts.txt"
    counts.unlink(missing_ok=True)

    def start(cell: Any, cell_index: int) -> None:
        if not samplers:
            samplers.append(Sampler(client.km.provisioner.pid, gpu))
            samplers[0].start()
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("#"):
                heading[0] = line.lstrip("# ")
        started[:] = time.perf_counter(), samplers[0].processor()

    def end(cell: Any, cell_index: int, execute_reply: Any) -> None:
        seconds, processor = time.perf_counter() - started[0], samplers[0].processor() - started[1]
        time.sleep(0.15)  # at least one sample
        resident, graphics = samplers[0].take()
        counted = counts.read_text(encoding="ascii").split() if counts.exists() else []
        products = float(counted[-1]) - sum(cost.products for cost in costs) if counted else 0.0
        first = next((line for line in cell.source.splitlines() if line.strip()), "")
        most = graphics if gpu else None
        costs.append(Cost(f"[{cell_index}] {heading[0]}: {first[:44]}", seconds, resident, most, products, processor))
        print(f"  {costs[-1].title}  {seconds:.1f} s", flush=True)

    os.environ["NEOAI_COUNTS"] = str(out)
    counting = [str(Path(__file__).with_name("counting.py"))]
    client = nbclient.NotebookClient(
        book, timeout=None, kernel_name="python3", on_cell_start=start, on_cell_executed=end,
        resources={"metadata": {"path": str(out)}},
        extra_arguments=[] if gpu else [f"--IPKernelApp.exec_files={counting!r}"],
    )  # fmt: skip
    try:
        client.execute()
    finally:
        nbformat.write(book, out / f"{task}.ipynb")
        if samplers:
            samplers[0].stop()
    if not announced and not (out / "submission.csv").is_file():
        raise SystemExit(f"{task} wrote no submission.csv")
    return costs


def continued(half: Sequence[Cost], whole: Sequence[Cost], share: float) -> list[tuple[Cost, bool]]:
    """Continue each cell's cost from two shares to all rows; tells with each whether it scales.

    A cell scales if the processor worked clearly longer for twice the rows, a fifth and half a second. Its wall time
    grows as that of the processor does; memory grows if it grew by a tenth.
    """
    result = []
    factor = (1 - share) / (share / 2)
    for small, large in zip(half, whole, strict=True):
        more = large.processor - small.processor
        grows = more > 0.5 + 0.2 * small.processor
        seconds = large.seconds + (factor * more * large.seconds / large.processor if grows else 0.0)
        heavier = large.resident - small.resident if grows and large.resident > 1.1 * small.resident else 0.0
        products = large.products + (factor * max(0.0, large.products - small.products) if grows else 0.0)
        cost = Cost(large.title, seconds, large.resident + factor * heavier, large.gpu, products)
        result.append((cost, grows))
    return result


def machine_speed() -> float:
    """Return the operations a second of a large product in float32 on this machine's cores."""
    import torch

    matrix = torch.randn(2048, 2048)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - start)
    return 2 * 2048**3 / min(times)


def on_cards(task: str, costs: Sequence[Cost], speed: float, cards: int) -> float:
    """Return the seconds that the cells would take on a host with one or two T4s.

    Args:
        task: decides the number format, and whether the notebook uses two cards.
        costs: of the cells on this machine's CPU.
        speed: operations a second of this machine.
        cards: 1 or 2.
    """
    rate = T4[2 if task in HALF else 4] * (cards if task in TWO_CARDS else 1)
    return sum(cost.products / rate if cost.products > 0.1 * speed * cost.seconds else cost.seconds for cost in costs)


@dataclass(frozen=True)
class Announced:
    """The longest work of a notebook, as it announces it.

    Attributes:
        hours: its estimate for all of it on this machine.
        speed: operations a second in the cell that timed a unit of it.
    """

    hours: float
    speed: float

    def on_cards(self, task: str, cards: int) -> float:
        """Return the hours on one or two T4s."""
        return self.hours * self.speed / (T4[2 if task in HALF else 4] * (cards if task in TWO_CARDS else 1))


def record(task: str, found: Mapping[str, object], which: str) -> None:
    """Keep figures of a play on a CPU in `rehearsed.json`.

    Args:
        task: its name.
        found: the figures.
        which: "all", or "cores" or "cards" to keep the hours on these alone.
    """
    kept = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    part = {name: value for name, value in found.items() if which == "all" or name.startswith(f"{which}_")}
    kept[task] = kept.get(task, {}) | part
    RECORD.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")


def figures(
    task: str, costs: Sequence[Cost], share: float, longest: Announced | None, there: Announced | None
) -> dict[str, object]:
    """Return what is kept of a play: its own hours and those that the notebook announces, here and for T4s."""
    speed = machine_speed()
    own = sum(cost.seconds for cost in costs) / 3600
    found: dict[str, object] = {
        "share": share,
        "cores": os.cpu_count(),
        "cores_hours": round(own + (longest.hours if longest else 0.0), 3),
        "resident_gb": round(max(cost.resident for cost in costs), 1),
        "announced": longest is not None,
    }
    for cards, name in ((1, "one"), (2, "two")):
        hours = on_cards(task, costs, speed, cards) / 3600 + (there.on_cards(task, cards) if there else 0.0)
        found[f"cards_{name}"] = round(hours, 3)
    return found


def show(costs: Sequence[tuple[Cost, bool]], share: float, device: str) -> None:
    """Print the table and the totals."""
    for cost, grows in costs:
        memory = f"{cost.resident:6.1f} GB" + ("" if cost.gpu is None else f"{cost.gpu:6.1f} GB")
        counted = f"{cost.products / 1e12:9.2f}e12" if cost.products else " " * 12
        print(f"{cost.title:78.78} {'~' if grows else ' '}{cost.seconds:9.1f} s {counted} {memory}")
    seconds = sum(cost.seconds for cost, _ in costs)
    resident = max(cost.resident for cost, _ in costs)
    print(f"total on {device}, {os.cpu_count()} cores: {seconds / 3600:.2f} h, {resident:.1f} GB resident", end="")
    graphics = [cost.gpu for cost, _ in costs if cost.gpu is not None]
    print(f", {max(graphics):.1f} GB of GPU memory" if graphics else "", f"(share {share:g})")
    print(LIMITS)


def main() -> None:
    """Write the folders, play, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", help="the task's number")
    parser.add_argument("--share", type=float, default=1.0, help="share of the rows, above 0 and at most 1")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--keep", type=Path, help="keep the folders here and use those that are here")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a parameter")
    parser.add_argument("--announced", action="store_true", help="then play to the announcement with all rows")
    parser.add_argument("--record", choices=["all", "cores", "cards"], help="keep the totals in rehearsed.json")
    given = parser.parse_args()
    task = f"task{given.task}"
    if given.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=storage.make_folder(storage.cache_dir())) as name:
        top = given.keep or Path(name)
        shares = (given.share,) if given.share == 1 or given.announced else (given.share / 2, given.share)
        typed = notebooks.typed(notebooks.find_notebook(task), {name: [value] for name, value in given.p})
        networks = _parameters(task, top / f"{task}-models")
        chosen = networks | {name: value for name, (value,) in typed.items()}
        plays = [_one(task, top / f"{task}-{share:g}", share, chosen) for share in shares]
        longest = _announced(task, top / f"{task}-1", networks) if given.announced else None
        there = (
            _announced(task, top / f"{task}-1", networks | ON_CARDS[task]) if longest and task in ON_CARDS else longest
        )
    pairs = [(cost, False) for cost in plays[0]] if len(plays) == 1 else continued(*plays, given.share)
    show(pairs, given.share, given.device)
    if given.device == "cpu":
        found = figures(task, [cost for cost, _ in pairs], given.share, longest, there)
        print(found)
        if given.record:
            record(task, found, given.record)


def _announced(task: str, folder: Path, parameters: Mapping[str, object]) -> Announced:
    """Play on all rows, with the notebook's own parameters, up to the announcement."""
    costs = _one(task, folder, 1.0, parameters, announced=True)
    hours = float((folder / "out" / "announced.txt").read_text(encoding="ascii"))
    return Announced(hours, costs[-1].products / costs[-1].seconds)


def _parameters(task: str, folder: Path) -> dict[str, object]:
    """Save the networks unless they are there, and return the parameters that name them."""
    record = folder / "parameters.json"
    if task not in real_size.MODELS:
        return {}
    if not record.exists():
        folder.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(real_size.MODELS[task](folder)), encoding="utf-8")
    parameters: dict[str, object] = json.loads(record.read_text(encoding="utf-8"))
    return parameters


def _one(
    task: str, folder: Path, share: float, parameters: Mapping[str, object], *, announced: bool = False
) -> list[Cost]:
    """Write a folder unless it is there, and play on it."""
    data, out = folder / "data", folder / "out"
    if not data.exists():
        data.mkdir(parents=True)
        real_size.FILES[task](data, share)
    out.mkdir(exist_ok=True)
    print(f"{task} at a share of {share:g}", flush=True)
    return play(task, data.resolve(), parameters, out.resolve(), announced=announced)


if __name__ == "__main__":
    main()
