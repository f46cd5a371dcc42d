"""A competition's files are found wherever a host or a student puts them, and nothing else is taken for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from neoai_utils import discovery, storage, workspace
from neoai_utils.competitions import COMPETITIONS, find
from neoai_utils.errors import DataError

SLUG = find("task1").slug
NEEDED = ("train.csv", "pictures/val")


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give Kaggle's folder of mounts, empty."""
    folder = tmp_path / "input"
    folder.mkdir()
    monkeypatch.setenv("KAGGLE_INPUT", str(folder))
    monkeypatch.setenv("KAGGLE_WORKING", str(tmp_path / "working"))
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    return folder


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give Colab's folder of the session, which holds the mounted drive."""
    folder = tmp_path / "content"
    (folder / "drive/MyDrive").mkdir(parents=True)
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path / "none"))
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    monkeypatch.setattr(discovery, "_COLAB", folder)
    return folder


def fill(folder: Path, names: tuple[str, ...] = NEEDED) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    "place",
    [
        SLUG,
        f"competitions/{SLUG}",
        f"competitions/{SLUG}/unpacked",
        f"{SLUG}/archive/files",
        f"datasets/somebody/{SLUG}",
        "datasets/somebody/my-neoai-files",
        "datasets/somebody/neoai/versions/3",
        "d/somebody/my-neoai-files/archive",
        "my-neoai-files",
        "my-neoai-files/Tricy table data/train & test",
        ".",
    ],
)
def test_files_are_found_below_the_mounts_of_kaggle(mounted: Path, capsys, place: str) -> None:
    folder = fill(mounted / place)
    fill(mounted / "datasets/somebody/half", NEEDED[:1])
    assert discovery.find(SLUG, NEEDED) == folder
    said = capsys.readouterr().out
    assert said == (
        "" if folder.name == SLUG and "datasets" not in place else f"The competition's files were found in {folder}.\n"
    )


@pytest.mark.parametrize("place", [".", "files", "drive/MyDrive/olympiad/one", f"drive/MyDrive/{SLUG}"])
def test_files_are_found_on_colab(session: Path, place: str) -> None:
    folder = fill(session / place)
    assert discovery.find(SLUG, NEEDED) == folder


def test_the_mount_of_the_competition_comes_first(mounted: Path) -> None:
    fill(mounted / "datasets/a/copy")
    fill(mounted / "datasets/b/copy")
    named = fill(mounted / f"datasets/c/{SLUG}-again")
    assert discovery.find(SLUG, NEEDED) == named
    mount = fill(mounted / "competitions" / SLUG)
    assert discovery.find(SLUG, NEEDED) == mount
    assert discovery.find(SLUG, NEEDED) == mount


def test_a_mount_without_the_files_does_not_hide_a_dataset(mounted: Path) -> None:
    fill(mounted / SLUG, NEEDED[:1])
    with pytest.raises(DataError, match=r"has no pictures/val; found there: train\.csv"):
        discovery.find(SLUG, NEEDED)
    folder = fill(mounted / "datasets/somebody/whole")
    assert discovery.find(SLUG, NEEDED) == folder


@pytest.mark.parametrize(
    "places", [("datasets/a/x", "datasets/b/x"), (f"d/a/{SLUG}", f"d/b/{SLUG}"), (f"{SLUG}/1", f"{SLUG}/2")]
)
def test_two_folders_that_fit_are_told(mounted: Path, places: tuple[str, str]) -> None:
    first, second = (fill(mounted / place) for place in places)
    with pytest.raises(DataError) as told:
        discovery.find(SLUG, NEEDED)
    assert str(told.value) == (
        f"2 folders hold train.csv, pictures/val: {first}, {second}. Name one of them in data_dir."
    )


def test_a_link_is_no_second_folder(mounted: Path) -> None:
    folder = fill(mounted / "datasets/somebody/files")
    (mounted / "alias").symlink_to(folder)
    (folder.parent / "loop").symlink_to(mounted)
    assert discovery.find(SLUG, NEEDED) == mounted / "alias"


def test_what_is_not_ours_is_passed_over(mounted: Path) -> None:
    """Another competition may hold files of the same names; a miniature is no competition."""
    fill(mounted / "competitions/titanic")
    fill(mounted / find("task5").slug)
    fill(mounted / "datasets/somebody/all-eight" / find("task8").slug)
    fill(mounted / "notebook/.hidden")
    fill(mounted / "notebook/__MACOSX")
    mini = fill(mounted / "notebook/mini/data")
    (mini.parent / storage.MANIFEST).touch()
    assert discovery.find(SLUG, NEEDED) is None


def test_the_search_is_bounded(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = mounted / "/".join("abcdefg")
    fill(deep)
    assert discovery.find(SLUG, NEEDED) is None
    fill(deep.parent)
    assert discovery.find(SLUG, NEEDED) == deep.parent
    monkeypatch.setattr(discovery, "_FOLDERS", 5)
    assert discovery.find(SLUG, NEEDED) is None


def test_a_crowd_of_pictures_is_not_searched(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_MAX_ENTRIES", 10)
    for number in range(11):
        (mounted / f"pictures/{number:03}").mkdir(parents=True)
    fill(mounted / "pictures/000")
    assert discovery.find(SLUG, NEEDED) is None


def test_attached_files_are_found_nearest_first_in_any_case(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = mounted / "/".join("abcdefgh")
    fill(deep, ("config.json",))
    fill(deep / "i", ("config.json",))
    fill(mounted / "model", ("Config.JSON", "checksums.json", ".hidden/config.json"))
    (mounted / "folder/config.json").mkdir(parents=True)
    assert discovery.mounted_files("CONFIG.json") == [mounted / "model/Config.JSON", deep / "config.json"]
    monkeypatch.setattr(discovery, "_FILE_FOLDERS", 4)
    assert discovery.mounted_files("config.json") == [mounted / "model/Config.JSON"]
    monkeypatch.setenv("KAGGLE_INPUT", str(mounted / "absent"))
    assert discovery.mounted_files("config.json") == []


def test_a_file_beside_many_pictures_is_found(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_MAX_ENTRIES", 10)
    fill(mounted / "pictures", (*(f"{number}.jpg" for number in range(11)), "hc3.csv"))
    assert discovery.mounted_files("hc3.csv") == [mounted / "pictures/hc3.csv"]


def test_a_data_dir_with_one_folder_more_is_taken(fake_task, tmp_path: Path, capsys) -> None:
    folder = fill(tmp_path / "download/files", ("test.csv",))
    (folder / "test.csv").write_text("id\n0\n")
    assert workspace.open_workspace(7, tmp_path / "download", tmp_path / "out").data_dir == folder
    assert str(folder) in capsys.readouterr().out


def test_a_host_never_plays_the_miniature_in_silence(fake_task, mounted: Path, capsys) -> None:
    workspace.open_workspace("task1")
    line = capsys.readouterr().out.splitlines()[0]
    for part in ("NO COMPETITION FILES FOUND", str(mounted), "test.csv", SLUG, "plays the MINIATURE", "data_dir"):
        assert part in line
    fill(mounted / SLUG, ("test.csv",))
    assert workspace.open_workspace("task1").data == "competition"
    assert capsys.readouterr().out == ""


def test_colab_says_it_too_and_other_machines_do_not(fake_task, session: Path, capsys, monkeypatch) -> None:
    workspace.open_workspace("task1", out_dir=session / "out")
    line = capsys.readouterr().out.splitlines()[0]
    assert f"{session} or {session}/drive/MyDrive" in line
    assert "Upload them" in line
    monkeypatch.delenv("COLAB_RELEASE_TAG")
    workspace.open_workspace("task1", out_dir=session / "out")
    assert capsys.readouterr().out == ""


def test_no_slug_is_part_of_another() -> None:
    slugs = [facts.slug for facts in COMPETITIONS.values()]
    assert not [a for a in slugs for b in slugs if a != b and a in b]
