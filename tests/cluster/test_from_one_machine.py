"""A live job moves from the embedded engine to Flink, and its lake and alarms stay whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pyarrow import csv

from infra.cluster.settings import ROOT, Cluster
from tests.support.cluster import Run, as_json, wait_for
from tests.support.seven_jobs import AIR, HOUR, MINUTE, alarms, files, fill
from tocsin.simulator.systems import system_of

AFTER = 6 * HOUR
PATIENCE = 240


def test_a_job_moves_to_flink_and_nothing_is_lost_or_repeated(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    brokers, name = cluster.at("kafka"), "air_quality"
    csv.write_csv(system_of(AIR).registry(), tmp_path / "air.csv")
    topics("moves.air")

    def variables(run: str) -> dict[str, str]:
        topics(f"moves.{run}.alarms", f"moves.{run}.rejects")
        return {
            "AIR_TOPIC": "moves.air",
            "AIR_REGISTRY": str(tmp_path / "air.csv"),
            "LAKE": str(tmp_path / run),
            "ALARM_TOPIC": f"moves.{run}.alarms",
            "REJECT_TOPIC": f"moves.{run}.rejects",
        }

    job = ROOT / "jobs" / f"{name}.yaml"
    moved = variables("moved")
    checkpoints = str(tmp_path / "checkpoints")
    fill(brokers, "moves.air", AIR)
    names = ("TOCSIN_VARIABLES", "TOCSIN_ALLOW_FOLDERS")
    allowed = dict(zip(names, (",".join(moved), str(tmp_path)), strict=True))
    process = subprocess.Popen(
        [sys.executable, "-m", "tocsin", "run", str(job), "--live", "--checkpoint", checkpoints],
        cwd=ROOT,
        env={**os.environ, **moved, **allowed, "TOCSIN_BROKERS": brokers},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for("files of the embedded engine", lambda: len(files(tmp_path / "moved", 1 << 62)))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    # The rest arrives while nothing runs. Then Flink reads from the beginning.
    second = replace(AIR, start=AIR.start + AIR.duration)
    last = replace(AIR, start=AIR.start + AFTER, duration=MINUTE, anomalies=0)
    for city in (second, last):
        fill(brokers, "moves.air", city)
    whole = variables("whole")
    assert as_json(tocsin("run", str(job), "--json", **whole))["balances"]
    until = AIR.start + AFTER - HOUR
    wanted = files(tmp_path / "whole", until)
    tocsin("submit", str(job), **moved)
    try:
        wait_for(
            "the whole lake",
            lambda: files(tmp_path / "moved", until).keys() >= wanted.keys(),
            PATIENCE,
        )
        events = set(alarms(brokers, "moves.whole.alarms", until))
        wait_for(
            "all alarms",
            lambda: set(alarms(brokers, "moves.moved.alarms", until)) >= events,
            PATIENCE,
        )
    finally:
        tocsin("stop", name, "--discard")
    assert files(tmp_path / "moved", until) == wanted
    assert set(alarms(brokers, "moves.moved.alarms", until)) == events
