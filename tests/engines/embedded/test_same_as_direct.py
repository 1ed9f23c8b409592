"""Each job of `jobs/` has the same lake, alarms and ledger as on Beam's local runner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pyarrow import csv

from infra.cluster.settings import ROOT
from tests.support.seven_jobs import CITIES, REGISTRIES, alarms, files, fill
from tocsin.compiler.checker import check_file
from tocsin.engines.beam.running import run_bounded as run_direct
from tocsin.engines.embedded.running import run_bounded
from tocsin.foundation.sandbox import BROKERS_VARIABLE, FOLDERS_VARIABLE, VARIABLES_VARIABLE
from tocsin.kernels.batch import FOREVER
from tocsin.simulator.embedded_kafka import EmbeddedKafka
from tocsin.simulator.systems import system_of

ROUNDS = {"small": 3_000, "large": 100_000}
_END = 4_102_444_800_000_000


@pytest.mark.parametrize("name", CITIES)
def test_a_job_is_the_same_on_the_direct_runner(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, str] = {}
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    with EmbeddedKafka() as kafka:
        monkeypatch.setenv(BROKERS_VARIABLE, kafka.brokers)
        for variable, city in CITIES[name].items():
            given[variable] = f"same.{city.system}"
            given[REGISTRIES[city.system]] = str(tmp_path / f"{city.system}.csv")
            kafka.create(given[variable])
            csv.write_csv(system_of(city).registry(), given[REGISTRIES[city.system]])
            fill(kafka.brokers, given[variable], city)

        def outcome(run: str, engine: Any, **options: int) -> dict[str, Any]:
            topics = {kind: f"{run}.{kind}" for kind in ("alarms", "rejects")}
            for topic in topics.values():
                kafka.create(topic)
            variables = {
                **given,
                "LAKE": str(tmp_path / run),
                "ALARM_TOPIC": topics["alarms"],
                "REJECT_TOPIC": topics["rejects"],
            }
            for variable, value in variables.items():
                monkeypatch.setenv(variable, value)
            monkeypatch.setenv(VARIABLES_VARIABLE, ",".join(variables))
            job, _ = check_file(str(ROOT / "jobs" / f"{name}.yaml"))
            ledger = engine(job, **options)
            return {
                "ledger": ledger.as_dict(),
                "reasons": ledger.reasons,
                "files": files(tmp_path / run, FOREVER),
                "alarms": alarms(kafka.brokers, topics["alarms"], _END),
            }

        wanted = outcome("direct", run_direct)
        assert len(wanted["files"]) > 1
        assert wanted["alarms"] or name == "city_overview"
        for run, rows in ROUNDS.items():
            found = outcome(run, run_bounded, rows=rows)
            for what, value in wanted.items():
                assert found[what] == value, (run, what)
    assert os.environ[BROKERS_VARIABLE]
