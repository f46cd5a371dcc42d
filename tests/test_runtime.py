import os
import random
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from neoai_utils import runtime
from neoai_utils.errors import NotANumberError


def test_the_picked_device_computes() -> None:
    device = runtime.pick_device()
    assert torch.ones(2, device=device).sum().item() == 2


def test_a_gpu_that_fails_its_first_operation_is_not_used(monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    real_ones = torch.ones

    def ones(*shape, device=None):
        if str(device) == "cuda":
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")
        return real_ones(*shape)

    monkeypatch.setattr(torch, "ones", ones)
    assert runtime.pick_device().type == "cpu"
    said = capsys.readouterr().out
    assert "no kernel image" in said
    assert "choose a T4" in said


def test_a_gpu_that_computes_nonsense_is_not_used(monkeypatch) -> None:
    monkeypatch.setattr(torch, "ones", lambda *shape, device=None: torch.zeros(*shape))
    assert runtime._device_problem(torch.device("cpu")) == "a matrix product came out wrong"


def draws() -> tuple:
    return random.random(), float(np.random.rand()), float(torch.rand(1))


def test_one_seed_seeds_everything() -> None:
    runtime.seed_everything(3)
    first = draws()
    runtime.seed_everything(3)
    assert draws() == first
    runtime.seed_everything(4)
    assert draws() != first


def test_threads_are_fixed_also_in_libraries_that_are_imported_later() -> None:
    code = """
import sys, numpy, torch
from neoai_utils import runtime
runtime.fix_threads(3)
import scipy.linalg, sklearn.cluster, threadpoolctl
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
pools = {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
print(pools, torch.get_num_threads(), _openmp_effective_n_threads())
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "{3} 3 3\n"


def test_progress_is_silent_without_a_terminal(capsys) -> None:
    assert list(runtime.progress([1, 2, 3], "counting")) == [1, 2, 3]
    assert capsys.readouterr() == ("", "")


def test_progress_of_a_long_loop_is_a_line_a_minute(monkeypatch, capsys) -> None:
    clock = iter(range(0, 10_000, 25))
    monkeypatch.setattr(runtime.time, "monotonic", lambda: next(clock))
    assert list(runtime.progress(range(6), "drawing")) == list(range(6))
    assert capsys.readouterr().err.splitlines() == [
        "drawing: 2 of 6, 1 min, about 2 min left", "drawing: 5 of 6, 2 min, about 0 min left",
    ]  # fmt: skip
    assert list(runtime.progress(iter("abcd"), "reading")) == list("abcd")
    assert capsys.readouterr().err.splitlines() == ["reading: 2, 1 min"]


def test_progress_in_a_notebook_is_one_line_that_disappears(tmp_path) -> None:
    code = "from neoai_utils import runtime\nruntime._MINUTE = 0\nfor _ in runtime.progress(range(3), 'drawing'): pass"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(book, kernel_name="python3").execute()
    (output,) = book.cells[0].outputs
    assert (output.output_type, output.data) == ("display_data", {"text/plain": ""})


def test_progress_draws_a_bar_for_a_person(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(runtime.progress(range(3), "counting")) == [0, 1, 2]
    assert "counting" in capsys.readouterr().err


def test_a_stopped_watch_stands_still() -> None:
    with runtime.stopwatch() as watch:
        assert watch.seconds >= 0
    assert watch.seconds == watch.seconds


@pytest.mark.skipif(sys.platform == "win32", reason="no such counter")
def test_peak_memory_grows_with_an_array() -> None:
    before = runtime.peak_memory_mb()
    block = np.ones(60 * 2**17)  # 60 MB
    assert runtime.peak_memory_mb() >= before
    assert runtime.peak_memory_mb() >= block.nbytes / 2**20


@pytest.mark.parametrize(
    ("variable", "name"), [("KAGGLE_KERNEL_RUN_TYPE", "kaggle"), ("COLAB_RELEASE_TAG", "colab"), ("OTHER", "local")]
)
def test_hosts_are_told_apart(monkeypatch, variable: str, name: str) -> None:
    for known in ("KAGGLE_KERNEL_RUN_TYPE", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(known, raising=False)
    monkeypatch.setenv(variable, "x")
    assert runtime.host() == name


def test_versions_of_what_is_there() -> None:
    found = runtime.versions("numpy", "no-such-package")
    assert found["numpy"] == np.__version__
    assert "no-such-package" not in found


def test_the_hub_s_libraries_are_told_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read once, when they are imported; a choice of the user's stands."""
    for name in ("USE_FLAX", "TRANSFORMERS_VERBOSITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    runtime.quiet_libraries()
    found = [os.environ[name] for name in ("USE_FLAX", "TRANSFORMERS_VERBOSITY", "TOKENIZERS_PARALLELISM")]
    assert found == ["0", "error", "true"]


def test_a_warning_about_a_file_is_one_plain_line_and_is_given_once(tmp_path) -> None:
    """Other warnings keep the form that Python gives them."""
    code = (
        "import warnings\nfrom neoai_utils import errors, runtime\n"
        "runtime.quiet_libraries()\nruntime.quiet_libraries()\n"
        "for _ in range(3): errors.warn('train.csv, line 3: no value; taken as 0')\n"
        "warnings.warn('something else', UserWarning)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, *rest = done.stderr.splitlines()
    assert first == "Warning: train.csv, line 3: no value; taken as 0"
    assert len(rest) <= 2
    assert "UserWarning: something else" in rest[0]


def test_peft_does_not_see_a_torchao_that_it_refuses(old_torchao) -> None:
    from peft.import_utils import is_torchao_available

    with pytest.raises(ImportError, match="incompatible version of torchao"):
        is_torchao_available()
    with runtime.fitting_torchao(), runtime.fitting_torchao():
        assert not is_torchao_available()
    assert "torchao" not in sys.modules
    import torchao

    with pytest.raises(ZeroDivisionError), runtime.fitting_torchao():
        assert not is_torchao_available()
        raise ZeroDivisionError
    assert sys.modules["torchao"] is torchao


@pytest.mark.parametrize("version", ["0.16.0", "99.0"])
def test_a_torchao_that_fits_stays(install, version: str) -> None:
    checks = pytest.importorskip("peft.import_utils")
    getattr(checks.is_torchao_available, "cache_clear", lambda: None)()
    install("torchao", version)
    with runtime.fitting_torchao():
        import torchao
    assert torchao.__version__ == version
    getattr(checks.is_torchao_available, "cache_clear", lambda: None)()


def test_without_torchao_nothing_is_hidden() -> None:
    with runtime.fitting_torchao():
        assert "torchao" not in sys.modules


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_nan_in_half_precision_names_the_remedy(kind: torch.dtype) -> None:
    runtime.refuse_nan(torch.tensor([1.0, float("inf")], dtype=kind), "the scores")
    with pytest.raises(NotANumberError, match="the scores: .* NaN.*: set the parameter dtype to float32"):
        runtime.refuse_nan(torch.tensor([1.0, float("nan")], dtype=kind), "the scores")
    with pytest.raises(NotANumberError, match="set the parameter dtype to float32"):
        runtime.refuse_nan(torch.tensor(float("nan")), "the scores", kind)


def test_nan_in_full_precision_is_another_fault() -> None:
    with pytest.raises(NotANumberError, match="in float32. Its weights are damaged"):
        runtime.refuse_nan(torch.tensor(float("nan")), "the scores")
