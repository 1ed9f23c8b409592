"""Paths: a job opens no file outside of its folders, whatever leads there, and changed when."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.foundation.sandbox import (
    JudgedPath,
    check_lake_folder,
    check_readable,
    matching,
    pinned,
)
from tocsin.parts.area_files import read_areas

PIECES = [
    "..", ".", "", "deep", "linked", "up", "loop", "secret.csv", "own.csv", "*", "**", "?eep",
    "[a-z]*", "link.csv", "pipe", "proc", "self", "environ", "fd", "%2e%2e", "~", "deep/down",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job's folder with links that lead out of it, next to a file that is not the job's."""
    outside = tmp_path_factory.mktemp("outside")
    home = outside / "job"
    (home / "deep" / "down").mkdir(parents=True)
    (outside / "secret.csv").write_text("secret")
    (home / "own.csv").write_text("own")
    (home / "deep" / "own.csv").write_text("own")
    (home / "link.csv").symlink_to(outside / "secret.csv")
    (home / "linked").symlink_to(outside)
    (home / "deep" / "up").symlink_to("../..")
    (home / "loop").symlink_to(home / "loop")
    os.mkfifo(home / "pipe")
    return home


def read(path: str, folders: tuple[str, ...]) -> str | None:
    """The text of a file, or None where the sandbox refuses it."""
    try:
        with pinned(path, folders) as opened:
            return Path(opened).read_text()
    except OSError:
        return None


@given(st.booleans(), st.lists(st.sampled_from(PIECES), max_size=7))
def test_no_path_of_pieces_opens_a_file_outside(
    home: Path, is_absolute: bool, pieces: list[str]
) -> None:
    pattern = "/".join([str(home) if is_absolute else "/", *pieces])
    assert read(pattern, (str(home),)) in (None, "own")
    try:
        found = matching(pattern, (str(home),))
    except ValueError:
        return
    assert {read(path, (str(home),)) for path in found} <= {None, "own"}
    assert all(Path(path).resolve().is_relative_to(home) for path in found)


@given(
    st.lists(st.sampled_from(["*", "**", "?eep", "deep", "down", "own.csv", "*.csv"]), max_size=4)
)
def test_a_pattern_finds_the_same_files_as_that_of_a_trusted_job(
    home: Path, pieces: list[str]
) -> None:
    inside = home / "deep"
    pattern = "/".join([str(inside), *pieces])
    try:
        found = matching(pattern, (str(home),))
    except ValueError:
        # A link of the folder leads out of it.
        return
    assert found == [
        path for path in matching(pattern, None) if not Path(path).name.startswith("up")
    ]


def test_files_of_the_system_are_not_read_from_the_root() -> None:
    for path in ("/proc/self/environ", "/dev/null", "/sys/kernel/uevent_seqnum", "/etc/passwd"):
        assert read(path, ("/",)) is None
    for path in ("/proc/self/environ", "/proc/self/cwd/README.md", "/dev/zero"):
        assert read(path, ("/proc", "/dev")) is None


def test_a_pipe_is_refused_at_once(home: Path) -> None:
    started = time.monotonic()
    with (
        pytest.raises(OSError, match="is no file on a disk"),
        pinned(str(home / "pipe"), (str(home),)),
    ):
        pass
    assert time.monotonic() - started < 1


def test_a_file_that_is_replaced_while_it_is_open_stays_the_judged_one(
    home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "table.csv"
    file.write_text("own")
    with pinned(str(file), (str(tmp_path),)) as opened:
        file.unlink()
        file.symlink_to(home.parent / "secret.csv")
        assert Path(opened).read_text() == "own"
    assert read(str(file), (str(tmp_path),)) is None


def test_a_judged_path_keeps_its_folders_on_the_way_to_a_worker(home: Path) -> None:
    path = pickle.loads(pickle.dumps(JudgedPath.of(f"{home}/link.csv", (str(home),))))
    with pytest.raises(OSError, match="is not in the job's folders"), pinned(path):
        pass
    with pinned(str(path)) as opened:
        assert opened == f"{home}/link.csv"


def test_a_file_that_is_too_large_is_refused(home: Path) -> None:
    path = JudgedPath.of(f"{home}/own.csv", (str(home),))
    with pytest.raises(OSError, match="has 3 bytes, and at most 2 fit"), pinned(path, most=2):
        pass


def test_a_path_with_control_characters_is_refused(home: Path) -> None:
    for name in ("a\0b", "a\x1b[2Jb", "a\nb", "a\u202eb"):
        with pytest.raises(ValueError, match="characters that cannot be shown"):
            check_readable(home / name, (str(home),))


def test_a_folder_of_a_lake_that_becomes_a_link_is_not_written(home: Path) -> None:
    check_lake_folder(f"{home}/lake/air", (str(home),))
    with pytest.raises(ValueError, match="is not in the job's folders"):
        check_lake_folder(f"{home}/linked/air", (str(home),))


def test_a_pattern_that_looks_at_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.foundation.sandbox.globs._MOST_ENTRIES", 50)
    monkeypatch.setattr("tocsin.foundation.sandbox.globs._MOST_FILES", 9)
    for number in range(10):
        (tmp_path / f"{number}.csv").touch()
    with pytest.raises(ValueError, match="finds 10 files; at most 9 fit"):
        matching(f"{tmp_path}/*.csv", (str(tmp_path),))
    for number in range(10):
        (tmp_path / f"folder{number}").mkdir()
    with pytest.raises(ValueError, match="looks at more than 50 files"):
        matching(f"{tmp_path}/*/../*/../*.csv", (str(tmp_path),))


def test_areas_of_brackets_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "areas.geojson").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="is no GeoJSON FeatureCollection"):
        read_areas(str(tmp_path / "areas.geojson"))
