"""Where the code runs and how it behaves there: host, device, seeds, time, memory, progress, other packages."""

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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from neoai_utils.errors import DataWarning, NotANumberError

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

__all__ = [
    "PeakMemory",
    "Stopwatch",
    "fitting_torchao",
    "host",
    "kaggle_folder",
    "own_rows",
    "peak_memory_mb",
    "pick_device",
    "progress",
    "quiet_libraries",
    "refuse_nan",
    "seed_everything",
    "stopwatch",
    "versions",
]

T = TypeVar("T")
_earlier_peak = 0.0  # MB; of the time before `PeakMemory` made the kernel forget


def host() -> Literal["kaggle", "colab", "local"]:
    """Tell whether this is a Kaggle kernel, a Colab session or any other machine."""
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "kaggle"
    return "colab" if "COLAB_RELEASE_TAG" in os.environ else "local"


def pick_device(*, quiet: bool = False) -> torch.device:
    """Return the GPU if one real operation succeeds on it, else the CPU.

    `torch.cuda.is_available()` is also true for cards that the installed torch has no kernels for (Kaggle's P100
    with a recent torch); the first real operation then fails. So this function multiplies two small matrices
    and compares the result before it believes in the card; the reason for a refusal is printed with the remedy.
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
    """Return why a small matrix product fails on `device`, or None if it gives the right answer."""
    import torch

    try:
        ones = torch.ones(8, 8, device=device)
        right = bool(((ones @ ones).cpu() == 8).all())
    except (RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0]
    return None if right else "a matrix product came out wrong"


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (those that are loaded) and ask torch for deterministic kernels.

    NumPy and torch are only seeded when they have been imported; a library imported later starts from its own
    state, so call this after the imports.
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


def refuse_nan(values: torch.Tensor, what: str, kind: torch.dtype | None = None) -> None:
    """Raise if a network's answer holds NaN, which would pass for a black picture, a last word or a first class.

    Args:
        values: the answer.
        what: what it is, for the message.
        kind: the arithmetic of the network; None: that of the values.

    Raises:
        NotANumberError: it holds NaN; the message names the remedy.
    """
    if not values.isnan().any():
        return
    kind = kind or values.dtype
    told = f"{what}: the network's answer is NaN, not a number, in {str(kind).removeprefix('torch.')}"
    if kind.itemsize < 4:
        raise NotANumberError(f"{told}. Numbers overflow there on some cards: set the parameter dtype to float32.")
    raise NotANumberError(f"{told}. Its weights are damaged or were changed too strongly: load it again, change less.")


def own_rows(accelerator: Accelerator, count: int) -> list[int]:
    """Return which rows of a batch of `count` this process reads; under `accelerate launch` each reads a part.

    Every process draws the whole batch from the same seeds, so the batch is the same however many processes share it.
    Where it cannot be shared evenly, the last row is read again. (Older versions of accelerate's own
    `split_between_processes` read rows twice even where it can.)
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
    """Give a watch that runs while the block of the `with` statement does.

    Example: `with stopwatch() as watch: ...`, then read `watch.seconds`.
    """
    watch = Stopwatch()
    try:
        yield watch
    finally:
        watch.stop()


def peak_memory_mb() -> float | None:
    """Return the most memory this process has held so far in MB (2**20 bytes); None where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return max(peak, _earlier_peak)


class PeakMemory:
    """The most memory that a `with` block takes beside what was held before it, in `megabytes` (2**20 bytes).

    On a GPU its own memory counts, on Linux that of the process; elsewhere `megabytes` stays None.
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
            self._before = _resident_mb("VmRSS") if _forget_peak() else None
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


def _forget_peak() -> bool:
    """Let the kernel forget the peak of this process's memory (`man 5 proc`, clear_refs); False where it cannot."""
    global _earlier_peak  # noqa: PLW0603 (the kernel's counter is the process's, too)
    peak = peak_memory_mb() or 0.0
    _return_freed_memory()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    _earlier_peak = max(_earlier_peak, peak)
    return True


def _return_freed_memory() -> None:
    """Let the C library hand back what was freed, else it is used again and does not show."""
    import ctypes

    with suppress(OSError, AttributeError):  # another library than glibc
        ctypes.CDLL(None).malloc_trim(0)


def _resident_mb(field: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(float(line.split()[1]) / 2**10 for line in status.splitlines() if line.startswith(field))


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Iterate over `items` with a bar for a person, and in silence otherwise.

    A bar is drawn only where the output is a terminal; in a notebook it would be stored as hundreds of messages,
    and floods of messages are a known way to break headless runs.
    """
    if not sys.stderr.isatty():
        return iter(items)
    from tqdm import tqdm

    return iter(tqdm(items, desc=label, total=total, leave=False, mininterval=0.5))


def quiet_libraries() -> None:
    """Turn off the progress bars and chatter of Hugging Face libraries, and show our own warnings as one plain line."""
    if warnings.formatwarning is not _format_warning:
        warnings.formatwarning = _format_warning
    # Pillow warns of 90 megapixels and refuses 180; what lies between is large but can be held
    warnings.filterwarnings("ignore", message=r"Image size .* could be decompression bomb")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("USE_FLAX", "0")  # else diffusers and transformers warn where flax is installed
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else a warning at every fork
    if "transformers" in sys.modules:
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()


_format_other_warning = warnings.formatwarning


def _format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Show a warning about a user's file without the place in our code, which helps nobody."""
    if issubclass(category, DataWarning):
        return f"Warning: {message}\n"
    return _format_other_warning(message, category, filename, lineno, line)


@contextmanager
def fitting_torchao() -> Iterator[None]:
    """Hide torchao from peft while the block of the `with` statement runs, if it is one that peft refuses.

    peft asks for torchao whenever it makes or merges an adapter, and raises where the installed one is too old for it,
    also for networks that have nothing to do with torchao. Kaggle's and Colab's images hold such a pair. A torchao
    that peft accepts stays where it is.
    """
    if not _peft_refuses_torchao():
        yield
        return
    missing = object()
    before = sys.modules.get("torchao", missing)
    sys.modules["torchao"] = None  # type: ignore[assignment] # for Python, a package that is not installed
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
    """Return the versions of Python and of those of `packages` that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def kaggle_folder(name: Literal["input", "working"]) -> Path:
    """Return Kaggle's folder of mounts or of outputs; `$KAGGLE_INPUT` and `$KAGGLE_WORKING` override them for tests."""
    return Path(os.environ.get(f"KAGGLE_{name.upper()}", f"/kaggle/{name}"))
