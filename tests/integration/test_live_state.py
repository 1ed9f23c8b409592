"""A live job with checkpoints: status, metrics, savepoint, upgrade, stop and its next start."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tocsin.cli.publishing import Publisher
from tocsin.kafka.connection import Kafka
from tocsin.simulator.city import City, readings

ROOT = Path(__file__).parents[2]
JOB = ROOT / "jobs/air_quality.yaml"
PATIENCE = 60


class Running:
    """A live job in a process of its own."""

    def __init__(self, job: Path, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "tocsin", "run", str(job), "--live"]
        self.said = folder.with_name(f"{folder.name}-said")
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                [*command, "--checkpoint", str(folder), *arguments],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and output after a signal."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out


@pytest.fixture
def lived(kafka: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))
    kafka.create("city.alarms")
    started: list[Running] = []

    def start(*arguments: str, job: Path = JOB) -> Running:
        started.append(Running(job, tmp_path / "state", *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def publish(block: int) -> int:
    publisher = Publisher(Kafka(), "city.air", (ROOT / "schemas/air_reading.avsc").read_text(), 0)
    sent = publisher.publish(list(readings(City(sensors=5, anomalies=0, late=0.0)))[block])
    publisher.flush()
    return sent


def wait_for(true: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError


def test_the_life_of_a_live_job(lived: Any, tocsin: Any, tmp_path: Path) -> None:
    state, first = tmp_path / "state", publish(0)
    job = lived("--metrics", "0")

    def status() -> dict[str, Any]:
        code, out, _ = tocsin("status", "--checkpoint", state, "--json")
        return json.loads(out) if code == 0 else {}

    def read() -> int:
        return int(status().get("ledger", {}).get("ReadTelemetry", {}).get("read", 0))

    wait_for(lambda: read() == first)
    wait_for(lambda: status()["checkpoints"]["completed"])
    assert status()["state"] == "RUNNING"
    address = re.findall(r"http://127\.0\.0\.1:\S+", job.said.read_text())[0]
    with urllib.request.urlopen(address) as answer:
        text = answer.read().decode()
    for name in ("tocsin_records_total", "tocsin_lag_records", "tocsin_watermark_milliseconds"):
        assert f'{name}{{job_name="air_quality"' in text, name
    # A second process and another job are refused.
    code, _, told = tocsin("run", JOB, "--live", "--checkpoint", state)
    assert (code, "is in use by the process" in told) == (1, True)
    assert tocsin("savepoint", "climate", "--checkpoint", state, "--to", tmp_path / "x")[0] == 2
    assert (
        tocsin("savepoint", "air_quality", "--checkpoint", state, "--to", tmp_path / "saved")[0]
        == 0
    )
    # A version that would lose state does not stop the job.
    text = JOB.read_text().replace("every: 1 min", "every: 2 min")
    (tmp_path / "air_quality.yaml").write_text(text)
    for name in ("schemas", "registry"):
        (tmp_path / name).symlink_to(ROOT / name)
    code, out, _ = tocsin("plan", tmp_path / "air_quality.yaml", "--diff", state)
    assert (code, "loses  Aggregate" in out) == (2, True)
    code, _, told = tocsin("upgrade", tmp_path / "air_quality.yaml", "--checkpoint", state)
    assert (code, "cannot continue" in told) == (2, True)
    assert job.process.poll() is None
    # One that fits stops it. The next start continues.
    code, out, _ = tocsin("upgrade", JOB, "--checkpoint", state)
    assert (code, out.strip()) == (0, f"tocsin run {JOB} --live --checkpoint {state}")
    assert job.process.wait(PATIENCE) == 0
    assert status()["state"] == "STOPPED"
    sent = publish(1)
    job = lived()
    wait_for(lambda: read() == first + sent)
    code, out = job.end(signal.SIGINT)
    assert (code, f"{first + sent:,}" in out) == (0, True)
    assert "continues from" in job.said.read_text()
    # The copy continues, too: from where it was taken.
    job = Running(JOB, tmp_path / "saved")
    wait_for((tmp_path / "saved" / "status.json").exists)
    assert job.end()[0] == 0


def test_a_killed_job_is_shown_as_killed(lived: Any, tocsin: Any, tmp_path: Path) -> None:
    publish(0)
    job = lived()
    wait_for((tmp_path / "state" / "status.json").exists)
    job.end(signal.SIGKILL)
    code, out, _ = tocsin("status", "--checkpoint", tmp_path / "state")
    assert (code, out.startswith("air_quality: killed")) == (0, True)
    assert tocsin("stop", "air_quality", "--checkpoint", tmp_path / "state")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--checkpoint", "x"], "--checkpoint needs --live"),
        (["--metrics", "0"], "--metrics needs --live"),
        (["--live", "--metrics", "70000"], "--metrics 70000 is no port"),
        (["--live", "--runner", "direct"], "only reads to the end"),
        (["--runner", "prism", "--checkpoint", "x"], "belong to the embedded engine"),
        (["--runner", "flink"], "no runner 'flink'"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: list[str], why: str, tocsin: Any) -> None:
    code, _, told = tocsin("run", JOB, *arguments)
    assert (code, why in told) == (2, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_with_an_end_can_be_interrupted(number: int, code: int, tmp_path: Path) -> None:
    (tmp_path / "many.json").write_text('{"at": 1800000000, "v": 1}\n' * 3_000_000)
    (tmp_path / "s.avsc").write_text(
        '{"type": "record", "name": "R", "fields": '
        '[{"name": "at", "type": "long"}, {"name": "v", "type": "long"}]}'
    )
    (tmp_path / "job.yaml").write_text(
        "pipeline:\n  type: chain\n  transforms:\n"
        "    - type: ReadFiles\n"
        f"      config: {{files: {tmp_path}/many.json, schema: s.avsc, event_time: at, "
        "time_unit: seconds}\n"
        "    - {type: Filter, config: {keep: v > 0}}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tocsin", "run", str(tmp_path / "job.yaml")],
        env={**os.environ, "TOCSIN_ALLOW_FOLDERS": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "reading to the end" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.3)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.count("\n")) == (code, 1), said
