"""Parts in a project folder: every verb finds them, and a job file elsewhere brings none."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.packages import DROP, ROOT, command_environment, run_command, write_parts
from tocsin.foundation.project import parts_folder, start_project

JOB = """
pipeline:
  type: chain
  transforms:
    - {type: ReadFiles, config: {files: readings.parquet, event_time: at}}
    - {type: Drop, config: {above: 3.0}}
tests:
  - name: greater values are dropped
    given:
      ReadFiles:
        columns: [sensor, at, value]
        rows: [[a, "1970-01-01T00:00:00Z", 1.0], [b, "1970-01-01T00:00:01Z", 5.0]]
    expect: {Drop: {columns: [value], rows: [[1.0]]}}
"""
FILES = {"clean/drop.py": DROP}


def write_job(folder: Path) -> Path:
    columns = {"sensor": ["a"], "at": pa.array([0], pa.timestamp("ms", "UTC")), "value": [1.0]}
    parquet.write_table(pa.table(columns), folder / "readings.parquet")
    (folder / "job.yaml").write_text(JOB)
    return folder / "job.yaml"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "tocsin.toml").write_text('[project]\nparts = "city_parts"\n')
    write_parts(folder / "city_parts", FILES)
    write_job(folder)
    (folder / "deep" / "down").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["list"], "Drop"),
        (["explain", "Drop"], "greatest value that is kept"),
        (["laws", "city_parts/clean/drop.py"], "0 failed"),
        (["check", "job.yaml"], "2 steps, 1 tests, good"),
        (["plan", "job.yaml"], "Drop"),
        (["test", "job.yaml"], "1 passed, 0 failed"),
        (["run", "job.yaml"], "job: done"),
        (["schema"], "config.Drop"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_verb_finds_the_parts(arguments: list[str], expected: str, project: Path) -> None:
    done = run_command(*arguments, cwd=project)
    assert (done.returncode, expected in done.stdout + done.stderr) == (0, True), done.stderr


def test_the_project_is_the_nearest_folder_above(project: Path) -> None:
    done = run_command("explain", "Drop", cwd=project / "deep" / "down")
    assert done.returncode == 0, done.stderr
    (project / "deep" / "tocsin.toml").touch()
    assert run_command("explain", "Drop", cwd=project / "deep" / "down").returncode == 2
    (project / "deep" / "tocsin.toml").unlink()


def test_a_new_part_outside_a_checkout_is_found_by_the_next_command(tmp_path: Path) -> None:
    done = run_command("new", "aggregation", "average", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "parts" / "aggregations" / "average.py"
    assert done.stdout.splitlines()[0] == str(file)
    assert f"{tmp_path}/tocsin.toml is new" in done.stderr
    assert run_command("explain", "average", cwd=tmp_path).stdout.startswith("# average\n")
    (tmp_path / "tocsin.toml").write_text('[project]\nparts = "ours"\n')
    below = tmp_path / "below"
    below.mkdir()
    done = run_command("new", "clean", "tidy", cwd=below)
    assert done.stdout.splitlines()[0] == f"{tmp_path}/ours/clean/tidy.py"
    assert not (below / "tocsin.toml").exists()
    assert run_command("explain", "Tidy", cwd=below).stdout.startswith("# Tidy\n")


def test_a_new_part_in_a_checkout_is_in_transforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "docs")
    assert parts_folder() == ROOT / "transforms"
    assert start_project(parts_folder()) is None


def test_a_job_file_brings_no_code_from_its_folder(tmp_path: Path) -> None:
    stranger, operator = tmp_path / "stranger", tmp_path / "operator"
    operator.mkdir()
    imported = tmp_path / "imported"
    code = f"open({str(imported)!r}, 'w').close()\n{DROP}"
    write_parts(stranger / "parts", {"clean/drop.py": code})
    write_parts(stranger / "tocsin" / "project", {"clean/drop.py": code})
    (stranger / "tocsin.toml").write_text('[project]\nparts = "parts"\n')
    job = write_job(stranger)
    for verb in ("check", "test", "run", "plan"):
        done = run_command(verb, job, cwd=operator)
        assert done.returncode == 2
        assert "no step type 'Drop'" in done.stderr
    assert not imported.exists()


def test_a_name_that_is_taken_is_an_error_with_both_files(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").touch()
    write_parts(tmp_path / "parts", {"enrich/filter.py": DROP.replace("Drop(", "Filter(")})
    done = run_command("list", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"tocsin: two files define the part 'filter': {ROOT}/transforms/clean/filter.py and "
        f"{tmp_path}/parts/enrich/filter.py; rename one"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[project", "not TOML"),
        ('[project]\npart = "x"', "unknown setting 'project.part' (known: project.parts, project."),
        ("[project]\nvariables = 'LAKE'", "project.variables must be names"),
        ("[secrets]\nKAFKA_PASSWORD = ['kafka']", "'KAFKA_PASSWORD' is no reference to a secret"),
        ("[secrets]\n'env:KAFKA_PASSWORD' = []", "names no hosts that may receive it"),
        ("secrets = 1", "`secrets` must be a table"),
        ("parts = 1", "unknown setting 'parts' (known: project.parts, project."),
        ("project = 1", "`project` must be a table: [project]"),
        ("[project]\nparts = 1", 'project.parts must be a folder, such as "parts"'),
        ('[project]\nparts = "."', "project.parts must be a folder of its own"),
        ('[project]\nparts = ".."', "project.parts must be a folder of its own"),
    ],
)
def test_a_wrong_project_file_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(text)
    done = run_command("list", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"tocsin: {tmp_path}/tocsin.toml: ")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unfinished_part_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").touch()
    write_parts(tmp_path / "parts", {"clean/drop.py": DROP, "clean/half.py": "class Half(:"})
    done = run_command("list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Keeps rows whose value is at most a limit" in done.stdout
    done = run_command("explain", "Half", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path}/parts/clean/half.py cannot be imported: SyntaxError" in done.stderr
    assert "Traceback" not in done.stderr


PACK = """
import pathlib, pickle, sys
from tocsin.flink.code_archive import pack
from tocsin.parts.registry import find
folder = pathlib.Path(sys.argv[1])
(folder / "part.pickle").write_bytes(pickle.dumps(find("clean", "drop")(above=2.0)))
print(pack(folder))
"""
UNPACK = """
import pathlib, pickle, sys
import tocsin
from tocsin.parts.registry import locations
part = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
print(tocsin.__file__, type(part).__module__, part.above, locations()["clean/drop"].file)
"""


def test_the_code_of_a_job_holds_the_parts(project: Path, tmp_path: Path) -> None:
    from tocsin.flink.code_archive import unpack

    def run(code: str, argument: Path, cwd: Path, path: Path) -> str:
        return subprocess.run(
            [sys.executable, "-c", code, str(argument)],
            capture_output=True,
            text=True,
            check=True,
            cwd=cwd,
            env=command_environment(path),
        ).stdout.strip()

    archive = Path(run(PACK, tmp_path, project, ROOT))
    names = zipfile.ZipFile(archive).namelist()
    assert "tocsin/project/clean/drop.py" in names
    assert not [name for name in names if "city_parts" in name]
    unpacked = unpack(archive.read_bytes(), tmp_path)
    assert json.loads((unpacked / "tocsin-code.json").read_text())["packages"] == ["tocsin"]
    # A worker takes the part from the code of the job, whatever project is in its own folder.
    other = tmp_path / "other"
    write_parts(other / "parts", FILES)
    (other / "tocsin.toml").touch()
    found = run(UNPACK, tmp_path / "part.pickle", other, unpacked).split()
    assert found == [
        f"{unpacked}/tocsin/__init__.py",
        "tocsin.project.clean.drop",
        "2.0",
        f"{unpacked}/tocsin/project/clean/drop.py",
    ]
