"""The main job, end to end with the embedded Kafka."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from pyarrow import parquet

from tests.support.tables import live_rows
from tocsin.cli.publishing import Publisher
from tocsin.compiler.checker import check_file, check_text
from tocsin.kafka.connection import Kafka
from tocsin.lake.audit import audit_lake
from tocsin.lake.query import open_lake
from tocsin.simulator.city import City, readings
from tocsin.simulator.scoring import score

ROOT = Path(__file__).parents[2]
CITY = City(sensors=20, anomalies=6)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from pyarrow import csv

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))
    csv.write_csv(CITY.places().registry(), tmp_path / "registry.csv")
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))
    monkeypatch.setenv("AIR_REGISTRY", str(tmp_path / "registry.csv"))
    return tmp_path / "lake"


def fill(topic: str = "city.air") -> int:
    publisher = Publisher(Kafka(), topic, (ROOT / "schemas/air_reading.avsc").read_text(), 0)
    count = sum(publisher.publish(batch) for batch in readings(CITY))
    publisher.flush()
    return count


def test_a_citys_hour_becomes_a_lake_and_alarms(
    kafka: Any, send: Any, receive: Any, lake: Path
) -> None:
    from tocsin.engines.beam.running import run_bounded

    sent = fill()
    send("city.air", [b"not avro", (None, b"air-00001")])
    kafka.create("city.alarms")
    job, _ = check_file("jobs/air_quality.yaml")
    ledger = run_bounded(job)

    assert ledger.balances
    source = ledger.steps["ReadTelemetry"]
    assert (source.read, source.rejected, source.kept) == (sent + 2, 2, sent)
    # Each step reads what the previous one keeps.
    chain = ["ReadTelemetry", "Validate", "Deduplicate", "Enrich", "Aggregate"]
    for one, other in itertools.pairwise(chain):
        assert ledger.steps[one].kept == ledger.steps[other].read, other
    assert ledger.steps["LateReadings"].kept == ledger.steps["Deduplicate"].late > 0

    connection, _ = open_lake(lake)
    total = connection.execute("select sum(readings) from air_quality").fetchone()[0]
    nulls = connection.execute("select count(*) from air_quality where mean is null").fetchone()[0]
    assert 0 < ledger.steps["Aggregate"].kept - total < 0.01 * sent, (
        "readings without a value are not counted by count(value)"
    )
    assert nulls < 5
    report = audit_lake(lake, Kafka())
    assert report.is_good, report.problems
    assert set(report.offsets["city.air"]) == {"0", "1", "2", "3"}

    events = [json.loads(message.value()) for message in receive("city.alarms")]
    spikes = [
        event
        for event in events
        if event["data"]["rule"].endswith("/Spike") and event["data"]["event"] == "raise"
    ]
    assert spikes
    for event in spikes:
        rows = connection.execute(event["data"]["lakeQuery"]).fetchall()
        assert len(rows) == 1
        assert event["data"]["observed"] in rows[0]
        assert event["location"]["type"] == "Point"
    result = score(CITY.labels(), events)
    assert sum(result.found.values()) == 6
    assert result.missed == {}
    assert len(result.false) <= 1

    rejects = receive("city.rejects")
    assert sorted(str(message.value()) for message in rejects) == ["None", "b'not avro'"]
    headers = [dict(message.headers()) for message in rejects]
    assert {h["__connect.errors.topic"] for h in headers} == {b"city.air"}
    assert all(h["__connect.errors.exception.message"] for h in headers)


def test_alarms_are_cloud_events_and_smart_data_models_alerts(
    kafka: Any, receive: Any, lake: Path
) -> None:
    from tocsin.engines.beam.running import run_bounded

    fill()
    run_bounded(check_file("jobs/air_quality.yaml")[0])
    schema = json.loads((ROOT / "schemas/alarm.schema.json").read_text())
    messages = receive("city.alarms")
    assert messages
    for message in messages:
        event = from_binary_event(
            KafkaMessage(dict(message.headers()), message.key(), message.value())
        )
        assert event.get_specversion() == "1.0"
        kind, ending = (text.rpartition(".")[2] for text in (event.get_type(), event.get_id()))
        assert event.get_id() == f"{message.key().decode()}.{kind}.{ending}"
        jsonschema.validate(json.loads(message.value()), schema)


def test_the_climate_job_filters_and_aggregates(kafka: Any, lake: Path) -> None:
    """Beam YAML has a `Filter`, too; this job must use Tocsin's."""
    from tocsin.engines.beam.running import run_bounded

    kafka.create("city.climate")
    city = City(
        system="climate", sensors=6, duration=7_200_000_000, cadence=60_000_000, anomalies=0
    )
    publisher = Publisher(
        Kafka(), "city.climate", (ROOT / "schemas/climate_reading.avsc").read_text(), 0
    )
    sent = sum(publisher.publish(batch) for batch in readings(city))
    publisher.flush()
    ledger = run_bounded(check_file("jobs/climate.yaml")[0])
    assert ledger.balances
    assert ledger.steps["ReadTelemetry"].kept == sent
    assert ledger.steps["Filter"].filtered > 0
    assert ledger.steps["Temperatures"].read == ledger.steps["Filter"].kept
    assert 0 < ledger.steps["Temperatures"].kept < ledger.steps["Temperatures"].read
    assert ledger.steps["Lake"].kept > 0


def rows_of_datasets(lake: Path) -> dict[str, list[str]]:
    """The live rows of each dataset, sorted."""
    return {
        folder.name: sorted(str(row) for row in live_rows(lake, folder.name).to_pylist())
        for folder in lake.iterdir()
    }


def test_a_second_run_writes_the_same_lake_and_alarms(kafka: Any, receive: Any, lake: Path) -> None:
    from tocsin.engines.beam.running import run_bounded

    fill()
    job, _ = check_file("jobs/air_quality.yaml")
    run_bounded(job)
    first = rows_of_datasets(lake)
    ids = [dict(m.headers())["ce_id"] for m in receive("city.alarms")]
    run_bounded(job)
    second = rows_of_datasets(lake)
    assert first == second
    again = [dict(m.headers())["ce_id"] for m in receive("city.alarms")]
    assert sorted(again) == sorted(ids * 2)
    assert len(set(ids)) == len(ids)


def test_the_lake_is_the_same_for_any_number_of_shards_and_partitions(
    kafka: Any, lake: Path, tmp_path: Path
) -> None:
    from tocsin.engines.beam.running import run_bounded

    fill()
    text = (ROOT / "jobs/air_quality.yaml").read_text()
    results = []
    for shards in (16, 3):
        changed = text.replace(
            "every: 1 min\n", f"every: 1 min\n        shards: {shards}\n"
        ).replace("dataset: air_quality", f"dataset: air{shards}")
        run_bounded(check_text("jobs/air_quality.yaml", changed)[0])
        connection, _ = open_lake(lake)
        results.append(connection.execute(f"select * from air{shards}_all order by all").fetchall())
    assert len(results[0]) > 1000
    assert results[0] == results[1]


def test_a_job_also_runs_with_beams_own_program(tmp_path: Path) -> None:
    table = pa.table(
        {
            "sensor": ["a", "a", "b"],
            "at": pa.array([0, 30_000, 70_000], pa.timestamp("ms", tz="UTC")),
            "value": [1.0, 3.0, 5.0],
        }
    )
    parquet.write_table(table, tmp_path / "readings.parquet")
    job = f"""
pipeline:
  type: chain
  transforms:
    - type: ReadFiles
      config: {{files: {tmp_path}/readings.parquet, event_time: at}}
    - type: Validate
      config: {{rules: {{value: {{min: 0}}}}}}
    - type: Aggregate
      config: {{every: 1 min, by: [sensor], measures: {{mean: mean(value)}}}}
    - type: WriteToLake
      config: {{lake: {tmp_path}/lake, dataset: plain}}
providers:
  - include: {ROOT}/tocsin/engines/beam/providers.yaml
"""
    (tmp_path / "job.yaml").write_text(job)
    command = [
        sys.executable,
        "-m",
        "apache_beam.yaml.main",
        f"--yaml_pipeline_file={tmp_path}/job.yaml",
        "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=dict(os.environ), check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    connection, _ = open_lake(tmp_path / "lake")
    rows = connection.execute("select sensor, mean from plain order by all").fetchall()
    assert rows == [("a", 2.0), ("b", 5.0)]


def test_stock_beam_transforms_join_behind_to_rows(tmp_path: Path) -> None:
    from tocsin.engines.beam.running import run_bounded

    table = pa.table(
        {
            "sensor": ["a", "a", "b"],
            "at": pa.array([0, 30_000, 70_000], pa.timestamp("ms", tz="UTC")),
            "value": [1.0, 3.0, 5.0],
        }
    )
    parquet.write_table(table, tmp_path / "readings.parquet")
    job = f"""
pipeline:
  type: chain
  transforms:
    - type: ReadFiles
      config: {{files: {tmp_path}/readings.parquet, event_time: at}}
    - type: Aggregate
      config: {{every: 1 min, by: [sensor], measures: {{mean: mean(value)}}}}
    - type: ToRows
    - type: MapToFields
      config: {{fields: {{place: sensor, level: mean, event_time: event_time}}}}
    - type: ToBatches
    - type: WriteToLake
      config: {{lake: {tmp_path}/lake, dataset: joined}}
"""
    run_bounded(check_text(str(tmp_path / "job.yaml"), job)[0])
    connection, _ = open_lake(tmp_path / "lake")
    assert connection.execute("select place, level from joined order by all").fetchall() == [
        ("a", 2.0),
        ("b", 5.0),
    ]


def test_a_third_party_package_adds_parts_by_its_entry_point(tmp_path: Path) -> None:
    package = tmp_path / "acme"
    (package / "acme_parts" / "aggregations").mkdir(parents=True)
    (package / "acme_parts" / "__init__.py").touch()
    (package / "acme_parts" / "aggregations" / "__init__.py").touch()
    (package / "acme_parts" / "aggregations" / "spread.py").write_text(
        '''"""Spread."""
import pyarrow.compute as pc
from tocsin.api.aggregation import Aggregation, Column, accumulator


class Spread(Aggregation):
    """Greatest less smallest value; null without values."""

    least = accumulator("min")
    most = accumulator("max")

    def finish(self, least: Column, most: Column) -> Column:
        return pc.subtract(most, least)

    examples = [({}, [1.0, 5.0, None], 4.0)]
'''
    )
    info = package / "acme_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-parts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tocsin.parts]\nacme = acme_parts\n")
    (tmp_path / "job.yaml").write_text(
        """
pipeline:
  type: chain
  transforms:
    - {type: ReadFiles, config: {files: tests/errors/readings.parquet, event_time: at}}
    - {type: Aggregate, config: {every: 1 min, measures: {range: {acme/spread: {of: value}}}}}
tests:
  - name: a part of another package
    given: {ReadFiles: {columns: [sensor, at, value], rows: [[a, "1970-01-01T00:00:00Z", 1.0], [b,
            "1970-01-01T00:00:01Z", 5.0]]}}
    expect: {Aggregate: {columns: [range], rows: [[4.0]]}}
"""
    )
    environment = {**os.environ, "PYTHONPATH": str(package)}
    for arguments, expected in (
        (["list"], "acme/spread"),
        (["explain", "acme/spread"], "Greatest less smallest value"),
        (["laws", str(package / "acme_parts/aggregations/spread.py")], "0 failed"),
        (["test", str(tmp_path / "job.yaml")], "1 passed, 0 failed"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "tocsin", *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert expected in done.stdout


def test_values_in_data_cannot_escape_the_lakes_folder(tmp_path: Path) -> None:
    from tocsin.engines.beam.running import run_bounded

    names = ["../../evil", "a/b", ".", "..", "", "x" * 500, "sensor=1", "é\x00", None]
    table = pa.table(
        {
            "sensor": pa.array(names),
            "at": pa.array([0] * len(names), pa.timestamp("ms", tz="UTC")),
            "value": [1.0] * len(names),
        }
    )
    parquet.write_table(table, tmp_path / "readings.parquet")
    job = f"""
pipeline:
  type: chain
  transforms:
    - {{type: ReadFiles, config: {{files: {tmp_path}/readings.parquet, event_time: at}}}}
    - {{type: WriteToLake, config: {{lake: {tmp_path}/in/lake, dataset: raw,
       partition_by: [sensor, date]}}}}
"""
    run_bounded(check_text(str(tmp_path / "job.yaml"), job)[0])
    files = list(tmp_path.rglob("*.parquet"))
    assert len(files) == 1 + len(names)
    assert all(
        (tmp_path / "in/lake/raw") in file.parents
        for file in files
        if file.name != "readings.parquet"
    )
    connection, _ = open_lake(tmp_path / "in/lake")
    found = {row[0] for row in connection.execute("select sensor from raw").fetchall()}
    assert {"../../evil", "a/b", ".", "..", "sensor=1", None} <= found


@pytest.fixture
def simulated(tmp_path: Path, tocsin: Callable[..., tuple[int, str, str]]) -> Path:
    code, _, _ = tocsin(
        "simulate",
        "--sensors",
        5,
        "--duration",
        "20 min",
        "--to",
        tmp_path / "a.parquet",
        "--labels",
        tmp_path / "l.parquet",
    )
    assert code == 0
    return tmp_path / "a.parquet"


def test_the_same_seed_gives_the_same_city(simulated: Path, tmp_path: Path, tocsin: Any) -> None:
    tocsin("simulate", "--sensors", 5, "--duration", "20 min", "--to", tmp_path / "b.parquet")
    tocsin(
        "simulate",
        "--sensors",
        5,
        "--duration",
        "20 min",
        "--seed",
        8,
        "--to",
        tmp_path / "c.parquet",
    )
    one, same, other = (parquet.read_table(tmp_path / f"{n}.parquet") for n in "abc")
    assert one.equals(same)
    assert not one.equals(other)
    assert parquet.read_table(tmp_path / "l.parquet").num_rows == 9


def test_a_recording_is_replayed_into_a_topic(simulated: Path, kafka: Any, tocsin: Any) -> None:
    code, _, told = tocsin(
        "replay", simulated, "--topic", "again", "--schema", "schemas/air_reading.avsc"
    )
    assert code == 0, told
    assert kafka.ensure_whole("again") == parquet.read_metadata(simulated).num_rows
