"""The host and the process: device, seeds, time, memory, progress bars, other packages."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import os
import platform
import random
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from neoai_utils.errors import DataWarning, NotANumberError

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

__all__ = [
    "LONG_HOURS",
    "PeakMemory",
    "Stopwatch",
    "announce_hours",
    "fitting_torchao",
    "fix_threads",
    "host",
    "kaggle_folder",
    "own_rows",
    "peak_gpu_mb",
    "peak_memory_mb",
    "pick_device",
    "progress",
    "quiet_libraries",
    "refuse_nan",
    "seed_everything",
    "stopwatch",
    "versions",
]

LONG_HOURS = 6.0
"""A run that takes longer is announced before it starts."""

T = TypeVar("T")
_MINUTE = 60  # seconds between two lines of progress
_earlier_peak = 0.0  # MB; peak before `PeakMemory` reset the kernel's counter


def host() -> Literal["kaggle", "colab", "local"]:
    """Return whether this is a Kaggle kernel, a Colab session or any other machine."""
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "kaggle"
    return "colab" if "COLAB_RELEASE_TAG" in os.environ else "local"


def pick_device(*, quiet: bool = False) -> torch.device:
    """Return the GPU if one real operation succeeds on it, else the CPU.

    `torch.cuda.is_available()` is also true for GPUs that the installed torch has no kernels for (Kaggle's P100 with a
    recent torch); the first operation on them fails. This function therefore multiplies two small matrices and checks
    the product. If it rejects the GPU, it prints the reason and the remedy.

    Args:
        quiet: print nothing.
    """
    import torch

    for kind in ("cuda", "mps"):
        backend = torch.cuda if kind == "cuda" else torch.backends.mps
        if not backend.is_available():
            continue
        problem = _device_problem(torch.device(kind))
        if problem is None:
            return torch.device(kind)
        if not quiet:
            remedy = "choose a T4 or L4 in the notebook's settings, or install a torch built for this card"
            print(f"The {kind} device is there but does not work ({problem}); using the CPU. Remedy: {remedy}.")
    return torch.device("cpu")


def _device_problem(device: torch.device) -> str | None:
    """Return why a small matrix product fails on `device`; None if it is right."""
    import torch

    try:
        ones = torch.ones(8, 8, device=device)
        correct = bool(((ones @ ones).cpu() == 8).all())
    except (RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0]
    return None if correct else "a matrix product came out wrong"


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, and request deterministic kernels from torch.

    NumPy and torch are seeded only if they are imported already; call this function after the imports.
    """
    random.seed(seed)
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(seed % 2**32)  # noqa: NPY002 (libraries still read the global state)
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False


def fix_threads(count: int) -> None:
    """Let torch, NumPy, SciPy and scikit-learn compute with a fixed number of threads, whatever the machine.

    A sum is split among the threads, and each split rounds differently. So the same seed gives the same scores only
    with the same number of threads. Libraries that are imported later read the environment's variables. SciPy's
    OpenBLAS would then start no more threads than there are cores, so it is loaded here.

    Args:
        count: of the threads; may exceed the number of cores.
    """
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = str(count)
    threadpool_limits(count)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(count)


def refuse_nan(values: torch.Tensor, what: str, kind: torch.dtype | None = None) -> None:
    """Raise if a network's output contains NaN, which would otherwise pass as a black picture or a first class.

    Args:
        values: the output, a floating-point tensor of any shape.
        what: name of the output, for the message.
        kind: the number format in which the network computes; None: the dtype of the values.

    Raises:
        NotANumberError: the output contains NaN; the message names the remedy.
    """
    if not values.isnan().any():
        return
    kind = kind or values.dtype
    problem = f"{what}: the network's answer is NaN, not a number, in {str(kind).removeprefix('torch.')}"
    if kind.itemsize < 4:
        raise NotANumberError(f"{problem}. Numbers overflow there on some cards: set the parameter dtype to float32.")
    raise NotANumberError(
        f"{problem}. Its weights are damaged or were changed too strongly: load it again, change less."
    )


def own_rows(accelerator: Accelerator, count: int) -> list[int]:
    """Return the rows of a batch that this process reads; under `accelerate launch` each process reads a part.

    All processes draw the same batch from the same seeds. If its size is not divisible by their number, the last row is
    read more than once. (Older versions of accelerate's `split_between_processes` repeat rows of every batch.)

    Args:
        accelerator: knows the number of processes and the index of this one.
        count: rows of the batch.
    """
    size = math.ceil(count / accelerator.num_processes)
    first = size * accelerator.process_index
    return [min(row, count - 1) for row in range(first, first + size)]


class Stopwatch:
    """Seconds of wall time; `seconds` runs until the watch is stopped."""

    def __init__(self) -> None:
        """Start the watch."""
        self._start = time.perf_counter()
        self._end: float | None = None

    def stop(self) -> None:
        """Freeze `seconds`."""
        self._end = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Return the seconds since the start, or until the stop."""
        return (self._end or time.perf_counter()) - self._start


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Measure the time of a `with` block.

    Example: `with stopwatch() as watch: ...`, then read `watch.seconds`.
    """
    watch = Stopwatch()
    try:
        yield watch
    finally:
        watch.stop()


def announce_hours(work: str, hours: float, remedy: str) -> None:
    """Print one line about a work that takes more than `LONG_HOURS`; print nothing about a shorter one.

    Args:
        work: what takes long, the beginning of a sentence.
        hours: the estimate for this machine.
        remedy: what makes it faster, a sentence.
    """
    if hours > LONG_HOURS:
        print(f"THIS TAKES LONG: {work} about {hours:.0f} hours on this machine. {remedy}")


def peak_memory_mb() -> float | None:
    """Return the peak memory of this process in MB (2**20 bytes); None if the system has no such counter."""
    return max(peak, _earlier_peak) if (peak := _peak_mb()) is not None else None


def _peak_mb() -> float | None:
    with suppress(OSError):  # no Linux
        return _resident_mb("VmHWM")  # `getrusage` would count what the process was before it became this program
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def peak_gpu_mb() -> float | None:
    """Return the peak of the tensors on all CUDA cards in MB (2**20 bytes), added up; None if no card was used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    cards = range(torch.cuda.device_count())
    return float(sum(torch.cuda.max_memory_allocated(card) for card in cards) / 2**20)


class PeakMemory:
    """The peak memory of a `with` block above the memory held at its start, in `megabytes` (2**20 bytes).

    For a GPU it is the GPU's memory, for a CPU under Linux that of the process; elsewhere `megabytes` stays None.
    """

    def __init__(self, device: torch.device) -> None:
        """Measure on a device."""
        self._device = device
        self.megabytes: float | None = None

    def __enter__(self) -> PeakMemory:
        """Start."""
        if self._device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
            self._before: float | None = torch.cuda.memory_allocated() / 2**20
        else:
            self._before = _resident_mb("VmRSS") if _reset_peak() else None
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        if self._before is None:
            return
        if self._device.type == "cuda":
            import torch

            self.megabytes = torch.cuda.max_memory_allocated() / 2**20 - self._before
        else:
            self.megabytes = max(0.0, _resident_mb("VmHWM") - self._before)


def _reset_peak() -> bool:
    """Reset the kernel's counter of this process's peak memory (`man 5 proc`, clear_refs); False if it cannot."""
    global _earlier_peak  # noqa: PLW0603 (the kernel's counter is global to the process, too)
    peak = peak_memory_mb() or 0.0
    _return_freed_memory()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    _earlier_peak = max(_earlier_peak, peak)
    return True


def _return_freed_memory() -> None:
    """Return freed memory to the system; allocations that reuse it would not be counted."""
    import ctypes

    with suppress(OSError, AttributeError):  # another library than glibc
        ctypes.CDLL(None).malloc_trim(0)


def _resident_mb(field: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(float(line.split()[1]) / 2**10 for line in status.splitlines() if line.startswith(field))


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Iterate over `items` and report the progress.

    A terminal shows a bar. A notebook shows one line, updated once a minute, that disappears at the end: a bar would be
    stored as hundreds of messages, which can break runs without a browser. Elsewhere a line a minute is printed.

    Args:
        items: to iterate over.
        label: text before the bar.
        total: number of items; None: `len(items)` if it has a length.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        return iter(tqdm(items, desc=label, total=total, leave=False, mininterval=0.5))
    return _reported(items, label, len(items) if total is None and isinstance(items, Sized) else total)


def _reported(items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
    """Iterate over `items` and write a line after each minute."""
    start = written = time.monotonic()
    line = None
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - written >= _MINUTE:
            line, written = _write_line(line, _progress_text(label, done, total, now - start)), now
        yield item
    if line is not None:
        line.update({"text/plain": ""}, raw=True)


def _progress_text(label: str, done: int, total: int | None, seconds: float) -> str:
    text = f"{label}: {done}" + (f" of {total}" if total else "") + f", {seconds / 60:.0f} min"
    return text + (f", about {(total - done) * seconds / done / 60:.0f} min left" if total and done else "")


def _write_line(line: Any, text: str) -> Any:
    """Write a line, in a notebook over the last one; return the notebook's handle to it, None elsewhere."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    if get_ipython is None or not hasattr(get_ipython(), "kernel"):
        print(text, file=sys.stderr, flush=True)
        return None
    from IPython.display import display

    if line is None:
        return display({"text/plain": text}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    line.update({"text/plain": text}, raw=True)
    return line


def quiet_libraries() -> None:
    """Turn off progress bars and logs of Hugging Face libraries; print each `DataWarning` as one line."""
    if warnings.formatwarning is not _format_warning:
        warnings.formatwarning = _format_warning
    # Pillow warns above 90 megapixels and refuses above 180; pictures between fit into memory
    warnings.filterwarnings("ignore", message=r"Image size .* could be decompression bomb")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("USE_FLAX", "0")  # else diffusers and transformers warn if flax is installed
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else a warning at every fork
    if "transformers" in sys.modules:
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()


_format_other_warning = warnings.formatwarning


def _format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Format a `DataWarning` without file and line of our code; other warnings as before."""
    if issubclass(category, DataWarning):
        return f"Warning: {message}\n"
    return _format_other_warning(message, category, filename, lineno, line)


@contextmanager
def fitting_torchao() -> Iterator[None]:
    """Hide torchao from peft during the `with` block if peft refuses the installed version.

    peft looks for torchao when it creates or merges an adapter. It raises an error if torchao is too old, also for
    networks that do not use it. The images of Kaggle and Colab contain such a pair of versions. A version that peft
    accepts is not hidden.
    """
    if not _peft_refuses_torchao():
        yield
        return
    missing = object()
    before = sys.modules.get("torchao", missing)
    sys.modules["torchao"] = None  # type: ignore[assignment] # Python takes the package for not installed
    try:
        yield
    finally:
        if before is missing:
            del sys.modules["torchao"]
        else:
            sys.modules["torchao"] = before  # type: ignore[assignment]


def _peft_refuses_torchao() -> bool:
    if importlib.util.find_spec("torchao") is None:
        return False
    try:
        from peft.import_utils import is_torchao_available

        is_torchao_available()
    except ImportError:
        return True
    return False


def versions(*packages: str) -> dict[str, str]:
    """Return package -> version, for Python and for the `packages` that are installed."""
    installed = {"python": platform.python_version()}
    for package in packages:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def kaggle_folder(name: Literal["input", "working"]) -> Path:
    """Return Kaggle's folder of mounts or of outputs; tests set `$KAGGLE_INPUT` and `$KAGGLE_WORKING`."""
    return Path(os.environ.get(f"KAGGLE_{name.upper()}", f"/kaggle/{name}"))
