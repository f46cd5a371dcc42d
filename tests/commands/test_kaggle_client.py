"""Kaggle's own client takes every upload and sends what we mean; its server is replaced by one on the loopback."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest

from neoai_utils.commands import bundle, notebooks
from neoai_utils.competitions import COMPETITIONS

try:
    importlib.metadata.version("kaggle")
except importlib.metadata.PackageNotFoundError:
    pytest.skip("the package kaggle is not installed: pip install kaggle", allow_module_level=True)

# The client knows its servers by name only, so their addresses are replaced before it starts.
PUSH = """
import sys
from kagglesdk import kaggle_env

for name in kaggle_env._env_to_endpoint:
    kaggle_env._env_to_endpoint[name] = sys.argv.pop(1) if name is kaggle_env.KaggleEnv.PROD else "http://127.0.0.1:9"
from kaggle.cli import main

main()
"""


class Server(ThreadingHTTPServer):
    """Keeps the requests that it gets, and says that a notebook was saved."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str, dict]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, self.headers.get("Authorization", ""), body))
        answer = json.dumps(
            {"ref": "/code/" + body.get("slug", ""), "url": "https://example.org/x", "versionNumber": 1}
        )
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.mark.parametrize("task", notebooks.available())
def test_the_client_of_kaggle_pushes_an_upload(task: str, server: Server, tmp_path: Path) -> None:
    folder = bundle.write(task, tmp_path / "dist", "someone")
    server.requests.clear()
    address = f"http://127.0.0.1:{server.server_port}"
    own = {
        "KAGGLE_USERNAME": "someone",
        "KAGGLE_KEY": "no-key",
        "KAGGLE_CONFIG_DIR": str(tmp_path),
        "HOME": str(tmp_path),
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KAGGLE_")} | own
    done = subprocess.run(
        [sys.executable, "-c", PUSH, address, "kernels", "push", "-p", str(folder)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "successfully pushed" in done.stdout
    assert "title does not resolve" not in done.stdout
    [(path, credentials, sent)] = server.requests
    facts = COMPETITIONS[task]
    assert path.endswith("/SaveKernel")
    assert credentials == "Basic " + b64encode(b"someone:no-key").decode()
    title = f"neoai {facts.number} {facts.title}"
    assert (sent["newTitle"], sent["slug"]) == (title, "someone/" + title.lower().replace(" ", "-"))
    assert (sent["language"], sent["kernelType"], sent["isPrivate"]) == ("python", "notebook", True)
    assert sent["competitionDataSources"] == [facts.slug]
    assert sent.get("enableGpu", False) is facts.needs.gpu
    assert sent.get("machineShape") == ("NvidiaTeslaT4" if facts.needs.gpu else None)
    assert sent.get("enableInternet", False) is (task not in ("task1", "task2"))
    book = nbformat.reads(sent["text"], as_version=4)
    nbformat.validate(book)
    assert (book.nbformat, book.nbformat_minor) == (4, 5)
    ours = nbformat.read(folder / f"{task}.ipynb", as_version=4)
    assert [(cell.id, cell.source) for cell in book.cells] == [(cell.id, cell.source) for cell in ours.cells]
    assert len(sent["text"]) <= bundle.LIMIT
