"""A live job that is killed at any time writes the lake and the alarms of a run without kills.

`make embedded-kills` kills each of the seven jobs 50 times.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import csv

from infra.cluster.settings import ROOT
from tests.support.seven_jobs import CITIES, HOUR, MINUTE, REGISTRIES, alarms, files, fill
from tocsin.compiler.checker import check_file
from tocsin.engines.embedded.checkpoint_store import MANIFEST
from tocsin.engines.embedded.running import run_bounded
from tocsin.foundation.failpoint import EMBEDDED, FAILPOINTS_VARIABLE, LAKE
from tocsin.foundation.sandbox import BROKERS_VARIABLE, FOLDERS_VARIABLE, VARIABLES_VARIABLE
from tocsin.simulator.embedded_kafka import EmbeddedKafka
from tocsin.simulator.systems import system_of

KILLS = int(os.environ.get("TOCSIN_KILLS", "5"))
AFTER = 6 * HOUR
PATIENCE = 1_200


QUICK = ("air_quality", "surveillance")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CITIES],
)
def test_kills_change_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}
    with EmbeddedKafka() as kafka:
        for variable, city in CITIES[name].items():
            given |= {
                variable: f"kills.{city.system}",
                REGISTRIES[city.system]: str(tmp_path / f"{city.system}.csv"),
            }
            kafka.create(given[variable])
            csv.write_csv(system_of(city).registry(), given[REGISTRIES[city.system]])
            later = replace(
                city, start=city.start + AFTER, duration=max(city.cadence, MINUTE), anomalies=0
            )
            for one in (city, later):
                fill(kafka.brokers, given[variable], one)
        until = min(city.start for city in CITIES[name].values()) + AFTER - HOUR

        def variables(run: str) -> dict[str, str]:
            topics = {kind: f"{run}.{kind}" for kind in ("alarms", "rejects")}
            for topic in topics.values():
                kafka.create(topic)
            found = {
                **given,
                "LAKE": str(tmp_path / run),
                "ALARM_TOPIC": topics["alarms"],
                "REJECT_TOPIC": topics["rejects"],
            }
            return {
                **found,
                VARIABLES_VARIABLE: ",".join(found),
                FOLDERS_VARIABLE: str(tmp_path),
                BROKERS_VARIABLE: kafka.brokers,
            }

        for variable, value in variables("whole").items():
            monkeypatch.setenv(variable, value)
        job = str(ROOT / "jobs" / f"{name}.yaml")
        run_bounded(check_file(job)[0])
        kills = _killed(job, tmp_path, {**os.environ, **variables("killed")})
        assert kills >= min(KILLS, 3)
        wanted, found = files(tmp_path / "whole", until), files(tmp_path / "killed", until)
        assert len(wanted) > 1
        assert found == wanted
        # Alarms are delivered at least once: a repeated event has the same id and text.
        assert set(alarms(kafka.brokers, "killed.alarms", until)) == set(
            alarms(kafka.brokers, "whole.alarms", until)
        )


def _killed(job: str, folder: Path, environment: dict[str, str]) -> int:
    """Run a job to the end of its topics, and kill it again and again. The number of kills."""
    chance = random.Random(7)
    points, manifest = folder / "failpoints", folder / "checkpoints" / MANIFEST
    points.mkdir()
    environment[FAILPOINTS_VARIABLE] = str(points)
    # With many kills, the job must not have read everything before them.
    pause = 0.02 if KILLS <= 5 else 0.2
    command = [sys.executable, "-m", "tests.engines.embedded.live_process"]
    kills, end = 0, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        before = manifest.stat().st_mtime_ns if manifest.exists() else 0
        process = subprocess.Popen(
            [*command, job, str(folder / "checkpoints"), str(pause)],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        while kills < KILLS and process.poll() is None:
            time.sleep(0.05)
            if manifest.exists() and manifest.stat().st_mtime_ns > before:
                time.sleep(chance.uniform(0, 0.8))
                for point in points.iterdir():
                    point.unlink()
                (points / chance.choice([*EMBEDDED, *LAKE[:2], LAKE[3]])).touch()
                time.sleep(chance.uniform(0.2, 1))
        _, text = process.communicate(timeout=PATIENCE)
        if process.returncode == 0:
            return kills
        assert process.returncode == -signal.SIGKILL, text
        kills += 1
    raise TimeoutError(f"the job did not end within {PATIENCE} s")
