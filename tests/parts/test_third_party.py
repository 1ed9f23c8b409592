"""Parts of a third-party package: their names, the default names of their steps, their laws."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.packages import DROP, install_package, run_command

READ = "{type: ReadFiles, config: {files: tests/errors/readings.parquet, event_time: at}}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_package(tmp_path_factory.mktemp("site"), "acme", {"clean/drop.py": DROP})


def job(folder: Path, *steps: str, kind: str = "chain", tests: str = "") -> Path:
    listed = "\n".join(f"    - {step}" for step in (READ, *steps))
    file = folder / "job.yaml"
    file.write_text(f"pipeline:\n  type: {kind}\n  transforms:\n{listed}\n{tests}")
    return file


def test_a_step_without_a_name_is_called_by_its_type_without_the_prefix(
    site: Path, tmp_path: Path
) -> None:
    tests = """
tests:
  - name: the step is Drop
    given:
      ReadFiles:
        columns: [sensor, at, value]
        rows: [[a, "1970-01-01T00:00:00Z", 1.0], [b, "1970-01-01T00:00:01Z", 5.0]]
    expect: {Drop: {columns: [value], rows: [[1.0]]}}
"""
    steps = (
        "{type: acme/Drop, input: ReadFiles}",
        "{type: Filter, input: Drop, config: {keep: value > 0}}",
    )
    file = job(tmp_path, *steps, kind="composite", tests=tests)
    done = run_command("test", file, site=site)
    assert (done.returncode, "1 passed, 0 failed" in done.stdout) == (0, True), done.stderr
    file = job(tmp_path, "{type: acme/Drop, config: {above: 2.0}}", tests=tests)
    done = run_command("test", file, site=site)
    assert (done.returncode, "1 passed, 0 failed" in done.stdout) == (0, True), done.stderr


def test_two_steps_of_one_type_need_names_as_built_in_steps_do(site: Path, tmp_path: Path) -> None:
    file = job(tmp_path, "{type: acme/Drop}", "{type: acme/Drop}")
    done = run_command("check", file, site=site)
    assert done.returncode == 2
    assert (
        done.stderr.strip() == f"{file}:6:7: two steps are called 'Drop'; give one another `name`"
    )
    file = job(tmp_path, "{type: acme/Drop}", "{type: acme/Drop, name: Again}")
    done = run_command("check", file, site=site)
    assert done.returncode == 0, done.stderr


def test_a_name_with_a_slash_is_refused(site: Path, tmp_path: Path) -> None:
    file = job(tmp_path, "{type: acme/Drop, name: acme/Drop}")
    done = run_command("check", file, site=site)
    assert done.returncode == 2
    assert done.stderr.strip() == f"{file}:5:31: a step's name is text without '.' and '/'"
