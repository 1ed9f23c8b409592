"""A live run: output appears while it runs, and an interrupt ends it with a ledger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tocsin.cli.publishing import Publisher
from tocsin.engines.beam.prism import HOW_TO_GET_IT, find_prism
from tocsin.kafka.connection import Kafka
from tocsin.lake.query import open_lake
from tocsin.simulator.city import City, readings

ROOT = Path(__file__).parents[2]


def prism() -> str:
    found = find_prism()
    if not found:
        pytest.skip(f"Beam's Prism is not installed: {HOW_TO_GET_IT}")
    return found


@pytest.mark.parametrize("runner", ["embedded", "prism"])
def test_a_live_run_writes_results_while_it_runs(runner: str, kafka: Any, tmp_path: Path) -> None:
    environment = {**os.environ, "LAKE": str(tmp_path / "lake")}
    if runner == "prism":
        environment["TOCSIN_PRISM"] = prism()
    blocks = list(readings(City(sensors=5, anomalies=0, late=0.0)))
    publisher = Publisher(Kafka(), "city.air", (ROOT / "schemas/air_reading.avsc").read_text(), 0)
    publisher.publish(blocks[0])
    publisher.flush()
    kafka.create("city.alarms")
    command = [sys.executable, "-m", "tocsin", "run", "jobs/air_quality.yaml", "--live"]
    command += ["--runner", runner]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for block in blocks[1:]:
            time.sleep(1)
            publisher.publish(block)
            publisher.flush()
        lake = tmp_path / "lake" / "air_quality"
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and len(list(lake.rglob("*.parquet"))) < 2:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.5)
        assert len(list(lake.rglob("*.parquet"))) >= 2, (
            "no file of a closed window while the job runs"
        )
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "ReadTelemetry" in out
    connection, _ = open_lake(tmp_path / "lake")
    twice = connection.execute(
        "select count(*) from (select 1 from air_quality_all "
        "group by window_start, sensor_id, metric, revision having count(*) > 1)"
    ).fetchone()
    assert twice == (0,)


def test_a_missing_prism_is_reported_with_how_to_install_it(
    tocsin: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("TOCSIN_PRISM", "GOBIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOPATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, told = tocsin("run", "jobs/climate.yaml", "--runner", "prism")
    assert code == 2
    assert "go install github.com/apache/beam/sdks/v2/go/cmd/prism" in told
    assert "Traceback" not in told
