"""Simulated systems depend on their seed only, and their jobs find the labelled faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from tocsin.backtest.compare import episodes
from tocsin.compiler.checker import check_file
from tocsin.kernels.batch import micros
from tocsin.simulator.city import City
from tocsin.simulator.systems import SYSTEMS, system_of

ROOT = Path(__file__).parents[2]
HOUR = 3_600_000_000
# Each system with its job, registry variable, sensors, faults, and the allowed false alarms.
CASES: dict[str, tuple[str, str, int, int, int]] = {
    "locks": ("connected_locks", "LOCK_REGISTRY", 150, 9, 2),
    "traffic": ("traffic", "TRAFFIC_REGISTRY", 128, 7, 8),
    "cameras": ("surveillance", "CAMERA_REGISTRY", 80, 7, 2),
    "links": ("network_links", "LINK_REGISTRY", 30, 6, 0),
    "probes": ("network_links", "LINK_REGISTRY", 30, 8, 0),
}
# By kind of fault: the rules that must all raise, and rules that may raise, too.
RULES: dict[str, tuple[set[str], set[str]]] = {
    "brute_force": ({"BruteForce"}, {"lock_alarm"}),
    "spraying": ({"Spraying"}, set()),
    "forced": ({"Forced"}, {"Ajar"}),
    "ajar": ({"Ajar"}, set()),
    "tamper": ({"tamper"}, set()),
    "duress": ({"duress"}, set()),
    "power_cut": ({"silent_after_power_cycle"}, {"Silent"}),
    "weak_battery": ({"BatteryRunsDown"}, set()),
    "position_jump": ({"PositionJump"}, set()),
    "incident": ({"IncidentBy7", "IncidentBy8"}, {"Bottleneck", "HighOccupancy"}),
    "bottleneck": ({"Bottleneck"}, {"IncidentBy7", "IncidentBy8", "HighOccupancy"}),
    **dict.fromkeys(
        ("card_off", "high_value", "intermittent", "constant", "insufficient"),
        ({"Unhealthy"}, set[str]()),
    ),
    "offline": ({"Offline"}, set()),
    "switch_down": ({"SwitchDown"}, set()),
    "slow_frames": ({"SlowFrames"}, set()),
    "recording_gap": ({"RecordingGap"}, set()),
    "covered": ({"Covered"}, set()),
    "clock_drift": ({"ClockDrift"}, set()),
    "intruder": ({"Intruder"}, set()),
    "congested": ({"Congested"}, set()),
    "stale": ({"StaleCounters"}, set()),
    "lossy": ({"BudgetBurns"}, set()),
    "slow": ({"Slow"}, {"BudgetBurns"}),
    "jittery": ({"Jittery"}, set()),
    "outage": ({"NoProbes"}, set()),
}


def city(system: str, seed: int = 7, hours: int = 24) -> City:
    _, _, sensors, anomalies, _ = CASES[system]
    cadence = 30_000_000
    settings = SYSTEMS[system].settings
    return City(
        system=system,
        sensors=sensors,
        anomalies=anomalies,
        duration=hours * HOUR,
        cadence=cadence,
        seed=seed,
        **settings,
    )


@pytest.mark.parametrize("system", CASES)
def test_the_same_seed_gives_the_same_system(system: str) -> None:
    def made(seed: int) -> pa.Table:
        return pa.Table.from_batches(list(system_of(city(system, seed, 1)).readings()))

    one = made(7)
    assert one.equals(made(7))
    assert not one.equals(made(8))
    arrived = micros(one.column("received_at"))
    assert (arrived[1:] >= arrived[:-1]).all()
    schema = (ROOT / "schemas" / SYSTEMS[system].schema).read_text()
    assert all(f'"{name}"' in schema for name in one.schema.names if name != "received_at")


@pytest.mark.parametrize("seed", [7, 8])
@pytest.mark.parametrize("system", CASES)
def test_the_rule_of_each_labelled_fault_raises(
    system: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, registry, _, _, most = CASES[system]
    simulated = system_of(city(system, seed))
    rows = pa.Table.from_batches(list(simulated.readings()))
    parquet.write_table(rows, tmp_path / "day.parquet")
    csv.write_csv(simulated.registry(), tmp_path / "registry.csv")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))
    monkeypatch.setenv(registry, str(tmp_path / "registry.csv"))
    alarms = episodes(check_file(f"jobs/{name}.yaml")[0], str(tmp_path / "day.parquet"))
    used = set[int]()
    labels: list[dict[str, Any]] = simulated.labels().to_pylist()
    assert len(labels) >= 6
    for label in labels:
        first, last = label["start"] - timedelta(minutes=1), label["end"] + timedelta(minutes=30)
        meant, allowed = RULES[label["kind"]]
        hits = {
            at: alarm.rule
            for at, alarm in enumerate(alarms)
            if label["sensor_id"] in [part.partition("=")[2] for part in alarm.key.split(",")]
            and first <= alarm.start.astimezone(UTC) <= last
            and alarm.rule in meant | allowed
        }
        missing = meant - set(hits.values())
        assert not missing, (
            f"{label['kind']} of {label['sensor_id']} at {label['start']}: {missing}"
        )
        used |= hits.keys()
    others = [alarm for at, alarm in enumerate(alarms) if at not in used]
    assert len(others) <= most, [(alarm.rule, alarm.key, alarm.start) for alarm in others]


def test_each_faulty_sensor_has_one_fault() -> None:
    for system in CASES:
        labels = system_of(city(system)).labels()
        who = labels.column("sensor_id").to_pylist()
        assert len(set(who)) == len(who)
        assert all(
            start < end
            for start, end in zip(
                *(labels.column(n).to_pylist() for n in ("start", "end")), strict=True
            )
        )
        assert min(labels.column("start").to_pylist()) >= datetime(2026, 3, 2, tzinfo=UTC)
