"""A cluster's folder is its user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.cluster import control, private
from infra.cluster.download import Missing
from infra.cluster.private import Foreign, exposed, private_folder, tighten, write_private
from infra.cluster.processes import prepare
from infra.cluster.settings import Cluster


@pytest.fixture(autouse=True)
def generous() -> None:
    """A user whose files others may read by default."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_an_older_folder_is_tightened_and_links_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "cluster"
    outside.write_text("not the cluster's")
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "kafka.log").write_text("a line")
    (folder / "logs" / "linked").symlink_to(outside)
    (folder / "logs" / "nowhere").symlink_to(tmp_path / "missing")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    assert len(exposed(folder)) == 4
    tighten(folder)
    assert exposed(folder) == []
    assert (folder / "run.sh").stat().st_mode & 0o7777 == 0o700
    assert outside.stat().st_mode & 0o777 == 0o666


def test_everything_that_is_prepared_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    (folder / "kafka").mkdir(parents=True)
    # A store that exists, so nothing has to be formatted.
    (folder / "kafka" / "meta.properties").touch()
    assert exposed(folder)
    prepare(Cluster(folder=folder))
    assert exposed(folder) == []
    assert (folder / "conf" / "config.yaml").stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_could_read_is_private_once_written(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("export OLD=1\n")
    write_private(path, "export NEW=1\n")
    assert path.read_text() == "export NEW=1\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_in_place_of_a_file_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("keep")
    (tmp_path / "env").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links"):
        write_private(tmp_path / "env", "lost")
    assert outside.read_text() == "keep"


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = os.getuid()
    monkeypatch.setattr(private.os, "getuid", lambda: me + 1)
    with pytest.raises(Foreign, match=f"{tmp_path} belongs to another user"):
        private_folder(tmp_path)
    with pytest.raises(Missing, match="belongs to another user"):
        control._supervise(Cluster(folder=tmp_path))
