import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils import storage
from neoai_utils.errors import DataError, NeoaiError


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_atomic_path_replaces_only_on_success(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with storage.atomic_path(target) as temporary:
        temporary.write_text("first")
    with pytest.raises(ZeroDivisionError), storage.atomic_path(target) as temporary:
        temporary.write_text("half")
        1 / 0
    assert target.read_text() == "first"
    assert leftovers(tmp_path) == ["a.txt"]


def test_atomic_path_on_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(NeoaiError, match="No space left"), storage.atomic_path(target):
        with open("/dev/full", "w") as full:
            full.write("x" * 100_000)
    assert target.read_text() == "old"


def test_atomic_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "built"
    with pytest.raises(KeyError), storage.atomic_folder(target) as temporary:
        (temporary / "one").write_text("1")
        raise KeyError
    assert leftovers(tmp_path) == []
    with storage.atomic_folder(target) as temporary:
        (temporary / "one").write_text("1")
        assert not target.exists()
    assert leftovers(target) == ["one"]
    ordinary = tmp_path / "ordinary"
    ordinary.mkdir()
    assert target.stat().st_mode == ordinary.stat().st_mode  # others may read a shared cache


def test_the_first_of_two_builders_wins(tmp_path: Path) -> None:
    target = tmp_path / "built"
    with storage.atomic_folder(target) as slow:
        (slow / "who").write_text("slow")
        with storage.atomic_folder(target) as fast:
            (fast / "who").write_text("fast")
    assert (target / "who").read_text() == "fast"
    assert leftovers(tmp_path) == ["built"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=50), min_size=1))
def test_a_manifest_accepts_what_it_was_made_from(tmp_path_factory: pytest.TempPathFactory, files: dict) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    storage.write_manifest(folder)
    storage.verify_manifest(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "sub/b").write_text("changed"), "sub/b was changed"),
        (lambda f: (f / "a").unlink(), "a is missing"),
        (lambda f: (f / "c").write_text("new"), "c is unexpected"),
        (lambda f: (f / storage.MANIFEST).write_text("{"), "no readable"),
        (lambda f: (f / storage.MANIFEST).unlink(), "no readable"),
    ],
)
def test_a_manifest_notices_damage(tmp_path: Path, damage, message: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_text("a")
    (tmp_path / "sub/b").write_text("b")
    storage.write_manifest(tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError, match=message):
        storage.verify_manifest(tmp_path)


def test_sha256_of_a_known_text(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # the example of FIPS 180-4
    assert storage.sha256_of(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_an_unusable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NeoaiError, match=r"cannot create the folder .*file.*deeper"):
        storage.make_folder(tmp_path / "file" / "deeper")


def test_the_cache_moves_with_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEOAI_CACHE", str(tmp_path))
    assert storage.cache_dir() == tmp_path
    monkeypatch.delenv("NEOAI_CACHE")
    monkeypatch.delenv("HOME", raising=False)
    assert storage.cache_dir().is_absolute()


def test_a_read_only_folder_is_refused(read_only_folder: Path) -> None:
    with pytest.raises(NeoaiError, match="cannot write"), storage.atomic_path(read_only_folder / "a") as temporary:
        temporary.write_text("x")
    with pytest.raises(NeoaiError, match="cannot write"), storage.atomic_folder(read_only_folder / "b"):
        pass
    assert list(read_only_folder.iterdir()) == []


def test_an_archive_is_read_only_if_it_is_the_committed_one(tmp_path: Path) -> None:
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b", b"2")
        archive.writestr("a", b"1")
    checksum = storage.sha256_of(path)
    assert list(storage.read_archive(path, checksum).items()) == [("a", b"1"), ("b", b"2")]
    for broken in (path.read_bytes()[:-1], None):
        path.unlink()
        if broken is not None:
            path.write_bytes(broken)
        with pytest.raises(DataError, match=r"pictures\.zip is missing or damaged"):
            storage.read_archive(path, checksum)
        path.touch()


def test_a_folder_is_copied_into_a_new_or_empty_one_only(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "new" / "target"
    (source / "data").mkdir(parents=True)
    (source / "data/a.txt").write_text("a")
    storage.copy_folder(source, target)
    assert (target / "data/a.txt").read_text() == "a"
    (tmp_path / "empty").mkdir()
    storage.copy_folder(source, tmp_path / "empty")
    assert (tmp_path / "empty/data/a.txt").is_file()
    with pytest.raises(NeoaiError, match="target is not empty; choose a new folder"):
        storage.copy_folder(source, target)
