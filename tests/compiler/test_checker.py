from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tocsin.compiler.checker import check_file, check_text
from tocsin.compiler.json_schema import job_schema
from tocsin.compiler.lower import lower
from tocsin.compiler.yaml_document import read_document

ROOT = Path(__file__).parents[2]
JOBS = sorted((ROOT / "jobs").glob("*.yaml"))

JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadFiles
      config: {files: tests/errors/readings.parquet, event_time: at}
    - type: Filter
      config: {keep: 'value > ${LIMIT:-1}'}
"""


@pytest.fixture(autouse=True)
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("job", JOBS, ids=lambda path: path.stem)
def test_every_job_passes_and_has_tests(job: Path) -> None:
    checked, warnings = check_file(str(job))
    assert checked.tests
    assert not warnings


@pytest.mark.parametrize("job", JOBS, ids=lambda path: path.stem)
def test_every_job_fits_the_json_schema(job: Path) -> None:
    data = read_document(str(job), job.read_text()).data
    jsonschema.validate(data, job_schema())


def test_the_json_schema_accepts_a_detector_by_its_name_alone() -> None:
    for choice in ("auto", {"auto": None}, {"robust_z": {"window": 5}}):
        step = {"type": "Detect", "config": {"of": "x", "by": ["id"], "with": choice}}
        jsonschema.validate({"pipeline": {"transforms": [step]}}, job_schema())


def test_the_json_schema_refuses_an_unknown_key() -> None:
    data: Any = {"pipeline": {"transforms": [{"type": "Filter", "config": {"keap": "x"}}]}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, job_schema())


def test_variables_are_replaced_after_parsing_and_keep_their_type() -> None:
    document = read_document("x", "a: ${N:-5}\nb: '${N:-5}'\nc: ${M}\n", {"M": "x: {y: 1}"})
    assert document.data == {"a": 5, "b": "5", "c": "x: {y: 1}"}
    job, _ = check_text("x.yaml", JOB, variables={"LIMIT": "7"})
    assert job.step("Filter").config == {"keep": "value > 7"}


def test_booleans_of_yaml_1_1_are_names() -> None:
    assert read_document("x", "on: no\ny: off\nt: true\n").data == {
        "on": "no",
        "y": "off",
        "t": True,
    }


def test_check_imports_neither_beam_nor_numba() -> None:
    code = """
import sys
from tocsin.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print([m for m in ('apache_beam', 'numba', 'duckdb') if m in sys.modules])
"""
    for arguments in (
        ["check", "jobs/air_quality.yaml"],
        ["--help"],
        ["list"],
        ["plan", "jobs/climate.yaml"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=dict(os.environ),
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_a_trusted_job_may_bring_code() -> None:
    text = JOB.replace(
        "- type: Filter\n      config: {keep: 'value > ${LIMIT:-1}'}",
        "- type: ToRows\n    - type: MapToFields\n"
        "      config: {language: python, fields: {x: value}}",
    )
    job, warnings = check_text("x.yaml", text, trusted=True)
    assert [step.type for step in job.steps] == ["ReadFiles", "ToRows", "MapToFields"]
    assert len(warnings) == 1


def test_a_lowered_job_names_every_input() -> None:
    job, _ = check_file("jobs/air_quality.yaml")
    steps = {step["name"]: step for step in lower(job)["pipeline"]["transforms"]}
    assert steps["Validate"]["input"] == "ReadTelemetry"
    assert steps["Alarms (inputs)"]["input"] == {
        str(at): f"{name}.alarms"
        for at, name in enumerate(["Spike", "Stuck", "Silent", "BadAir", "FarFromNeighbours"])
    }
    assert steps["Alarms"]["input"] == "Alarms (inputs)"
    assert steps["Spike"]["config"]["tocsin_rule"] == "air_quality/Spike"
    assert yaml.safe_load(yaml.safe_dump(steps)) == steps


def test_no_secret_is_in_a_plan_or_a_lowered_job(
    monkeypatch: pytest.MonkeyPatch, tocsin: Any
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "hunter2")
    monkeypatch.setenv("TOCSIN_SECRETS", "env:KAFKA_PASSWORD@localhost")
    monkeypatch.delenv("TOCSIN_BROKERS", raising=False)
    text = (
        (ROOT / "jobs/climate.yaml")
        .read_text()
        .replace(
            "event_time: observed_at",
            "event_time: observed_at\n"
            "        kafka: {settings: {sasl.password: env:KAFKA_PASSWORD}}",
        )
    )
    job, _ = check_text("jobs/climate.yaml", text)
    assert "hunter2" not in json.dumps(lower(job), default=str)
    source = job.step("ReadTelemetry").part
    assert source is not None
    assert "hunter2" not in repr(source)
    assert getattr(source, "kafka").client_settings()["sasl.password"] == "hunter2"  # noqa: B009 - a Part has no `kafka`
