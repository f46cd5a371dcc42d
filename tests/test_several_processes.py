"""Training loops under `accelerate launch`: two processes share each batch and learn what one learns from it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from neoai_utils.runtime import own_rows
from tests import training_loops

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> str:
    """Return a port that nobody listens on: older versions of torch do not choose one for themselves."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """What each of two launched processes wrote; `--multi_gpu` is accelerate's word for one process a device."""
    folder = tmp_path_factory.mktemp("two")
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", free_port(),
        training_loops.__file__, str(folder),
    ]  # fmt: skip
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("name", training_loops.LOOPS)
def test_two_processes_learn_what_one_learns(two: Path, name: str) -> None:
    one = training_loops.LOOPS[name]()
    first, second = (torch.load(two / f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["losses"] == second["losses"]
    assert first["score"] == second["score"]
    assert first["losses"] == pytest.approx(one["losses"], rel=1e-3)
    assert first["score"] == pytest.approx(one["score"], rel=1e-3)
    for key, weights in one["weights"].items():
        assert torch.equal(first["weights"][key], second["weights"][key]), key
        torch.testing.assert_close(first["weights"][key], weights, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(("count", "number"), [(1, 1), (4, 1), (4, 2), (5, 2), (1, 3), (7, 3)])
def test_every_row_is_read_and_all_read_as_many(count: int, number: int) -> None:
    processes = [SimpleNamespace(num_processes=number, process_index=index) for index in range(number)]
    shares = [own_rows(process, count) for process in processes]  # type: ignore[arg-type]
    assert {row for share in shares for row in share} == set(range(count))
    assert len({len(share) for share in shares}) == 1
    if count % number == 0:
        assert sorted(row for share in shares for row in share) == list(range(count))
