"""Each job of `jobs/` has equal results locally and on Flink, live or replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import csv

from infra.cluster.settings import Cluster
from tests.support.cluster import Run, as_json, wait_for
from tests.support.seven_jobs import (
    CITIES,
    HOUR,
    MINUTE,
    REGISTRIES,
    alarms,
    ends,
    files,
    fill,
    sources,
)
from tocsin.lake.datasets import files_of
from tocsin.simulator.city import City
from tocsin.simulator.systems import system_of

# `make test-systems` runs these; `make test-cluster` the others.
LONG = ("connected_locks", "traffic", "surveillance", "network_links", "city_overview")
# Readings this much later let a live job complete all earlier windows.
AFTER = 6 * HOUR
PATIENCE = 240


def closing(city: City) -> City:
    return replace(city, start=city.start + AFTER, duration=max(city.cadence, MINUTE), anomalies=0)


@pytest.mark.parametrize(
    "job", [pytest.param(job, marks=pytest.mark.slow) if job in LONG else job for job in CITIES]
)
def test_the_lake_on_flink_equals_the_local_one(
    job: str, cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    brokers, given = cluster.at("kafka"), dict[str, str]()
    for variable, city in CITIES[job].items():
        given |= {
            variable: f"same.{job}.{city.system}",
            REGISTRIES[city.system]: str(tmp_path / f"{city.system}.csv"),
        }
        topics(given[variable])
        csv.write_csv(system_of(city).registry(), given[REGISTRIES[city.system]])
    until = min(city.start for city in CITIES[job].values()) + AFTER - HOUR

    def variables(run: str, **more: str) -> dict[str, str]:
        topics(f"same.{job}.{run}.alarms", f"same.{job}.{run}.rejects")
        return {
            **given,
            "LAKE": str(tmp_path / run),
            "ALARM_TOPIC": f"same.{job}.{run}.alarms",
            "REJECT_TOPIC": f"same.{job}.{run}.rejects",
            **more,
        }

    # Live first: readings arrive while the job runs.
    archive = str(tmp_path / "archive") if job != "city_overview" else ""
    tocsin("submit", f"jobs/{job}.yaml", "--parallelism", 2, **variables("live", ARCHIVE=archive))
    for made in (lambda city: city, closing):
        for variable, city in CITIES[job].items():
            fill(brokers, given[variable], made(city))
    local = as_json(tocsin("run", f"jobs/{job}.yaml", "--json", **variables("local")))
    assert local["balances"]
    wanted, wanted_alarms = (
        files(tmp_path / "local", until),
        alarms(brokers, f"same.{job}.local.alarms", until),
    )
    assert len(wanted) > 2
    assert wanted_alarms or job == "city_overview"
    try:
        wait_for(
            "the whole lake",
            lambda: files(tmp_path / "live", until).keys() >= wanted.keys(),
            PATIENCE,
        )
        wait_for(
            "all alarms",
            lambda: len(alarms(brokers, f"same.{job}.live.alarms", until)) >= len(wanted_alarms),
            PATIENCE,
        )
    finally:
        status = as_json(tocsin("status", job, "--json"))
    tocsin("stop", job, "--discard")
    for parallelism in (1, 2):
        run = f"replayed-{parallelism}"
        tocsin(
            "submit",
            f"jobs/{job}.yaml",
            "--bounded",
            "--parallelism",
            parallelism,
            **variables(run),
        )
    runs = ["live", "replayed-1", "replayed-2"]
    if archive and job not in ("climate", "connected_locks"):
        # Backfill from the archive, locally and on the cluster. Then backfill over the live job's
        # lake, which writes nothing.
        for run, way in {"backfill": [], "backfill-2": ["--cluster", "--parallelism", "2"]}.items():
            tocsin(
                "backfill",
                f"jobs/{job}.yaml",
                "--archive",
                archive,
                "--messages",
                *way,
                **variables(run),
            )
            runs.append(run)
        mine = [file for file in files_of(tmp_path / "live") if ends(file) <= until]
        before = [file.stat().st_mtime_ns for file in mine]
        again = variables("again", LAKE=str(tmp_path / "live"))
        found = as_json(
            tocsin("backfill", f"jobs/{job}.yaml", "--archive", archive, "--json", **again)
        )
        assert [file.stat().st_mtime_ns for file in mine] == before
        assert sum(one["same"] for one in found["files"]) >= len(wanted)
    for run in runs:
        assert files(tmp_path / run, until) == wanted, run
        assert alarms(brokers, f"same.{job}.{run}.alarms", until) == wanted_alarms, run
    assert status["balances"]
    for source in sources(job):
        assert status["ledger"][source] == local["steps"][source], source
