"""No jar reaches a class path that was not tested."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cluster import checksums, download
from infra.cluster.checksums import listed, problems, problems_of_installed, write
from infra.cluster.download import Missing, fetch_sql
from infra.cluster.settings import ROOT, Cluster, versions


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    folder = tmp_path / "tools" / "kafka-1"
    (folder / "plugins").mkdir(parents=True)
    (folder / "a.jar").write_bytes(b"a")
    (folder / "plugins" / "b.jar").write_bytes(b"b")
    write([folder], tmp_path / "checksums.txt")
    return folder


def found(jars: Path) -> list[str]:
    return problems_of_installed(
        jars, jars.parents[1] / "checksums.txt", jars.parents[1] / "stamps"
    )


def test_tested_jars_have_no_problems(jars: Path) -> None:
    assert found(jars) == []
    assert found(jars) == []


def test_a_changed_jar_is_found_although_size_and_time_are_the_same(jars: Path) -> None:
    assert found(jars) == []
    before = (jars / "a.jar").stat()
    (jars / "a.jar").write_bytes(b"x")
    os.utime(jars / "a.jar", ns=(before.st_atime_ns, before.st_mtime_ns))
    (problem,) = found(jars)
    assert problem.startswith("kafka-1/a.jar is not the jar that was tested: its SHA-256 is 2d71")
    assert "checksums.txt has ca97" in problem


def test_a_jar_that_is_added_or_missing_is_found(jars: Path) -> None:
    assert found(jars) == []
    (jars / "plugins" / "b.jar").rename(jars / "plugins" / "c.jar")
    assert found(jars) == [
        "kafka-1/plugins/c.jar is not in checksums.txt",
        "kafka-1/plugins/b.jar is missing",
    ]


def test_a_link_to_another_jar_is_found(jars: Path) -> None:
    other = jars.parents[1] / "other.jar"
    other.write_bytes(b"other")
    (jars / "a.jar").unlink()
    (jars / "a.jar").symlink_to(other)
    assert len(found(jars)) == 1


def test_a_stamp_holds_for_one_list_only(jars: Path) -> None:
    assert found(jars) == []
    (jars.parents[1] / "checksums.txt").write_text(f"{'0' * 64}  kafka-1/a.jar\n", "utf-8")
    assert len(found(jars)) == 2


def test_a_version_that_is_not_listed_is_refused(jars: Path) -> None:
    (problem,) = problems(jars, "kafka-2", jars.parents[1] / "checksums.txt")
    assert problem == "checksums.txt lists no jar of kafka-2: no jar of this version was tested"


def test_every_folder_of_the_cluster_is_listed() -> None:
    cluster = Cluster()
    for folder in (
        cluster.jars_kafka, cluster.jars_runner, cluster.jars_flink, cluster.jars_sql,
        cluster.jars_operator,
    ):  # fmt: skip
        assert listed(folder.name), folder.name
    names = {
        line.split("  ")[1].partition("/")[0] for line in checksums.LIST.open("r", encoding="utf-8")
    }
    assert len(names) == 5, "the list has jars of a version that is no longer used"


def test_a_download_that_differs_is_not_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "planted.jar").write_bytes(b"planted")
    name = f"kafka-{versions()['KAFKA_VERSION']}"
    with pytest.raises(
        Missing, match=f"(?s){name}/planted.jar is not in.*and .* more.*versions.env"
    ):
        download._finished(unfinished, tmp_path / name, check=True)
    assert not (tmp_path / name).exists()


def test_jars_of_flink_sql_are_checked(tmp_path: Path) -> None:
    cluster = Cluster(tools=tmp_path)
    cluster.jars_sql.mkdir()
    (cluster.jars_sql / "avro-1.11.3.jar").write_bytes(b"planted")
    with pytest.raises(Missing, match=f"(?s)these jars are not used.*remove {cluster.jars_sql}"):
        fetch_sql(cluster)


@pytest.mark.skipif(shutil.which("javac") is None, reason="needs Java")
def test_a_cluster_with_a_planted_jar_does_not_start(tmp_path: Path) -> None:
    cluster = Cluster(tools=tmp_path)
    for folder in (cluster.jars_kafka, cluster.jars_runner, cluster.jars_flink):
        folder.mkdir()
        (folder / "planted.jar").write_bytes(b"planted")
    command = [sys.executable, "-m", "infra.cluster", "up", "--folder", str(tmp_path / "cluster")]
    environment = {**os.environ, "TOCSIN_TOOLS": str(tmp_path)}
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("these jars are not used:\n")
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "cluster").exists()
