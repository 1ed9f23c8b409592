"""Labelled faults of cameras, links, locks and roads are in the readings of the labelled asset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tocsin.simulator.cameras import KINDS as CAMERA_FAULTS
from tocsin.simulator.cameras import ON_A_SWITCH
from tocsin.simulator.city import City
from tocsin.simulator.locks import KINDS as LOCK_FAULTS
from tocsin.simulator.locks import SPRAYED
from tocsin.simulator.systems import system_of
from tocsin.simulator.traffic import KINDS as ROAD_FAULTS

HOUR = 3_600_000_000


class Day:
    """The rows and labels of a system over eight hours, without disorder."""

    def __init__(self, name: str, anomalies: int, sensors: int = 160) -> None:
        self.city = City(
            name,
            sensors=sensors,
            duration=8 * HOUR,
            anomalies=anomalies,
            cadence=30_000_000,
            out_of_order=0.0,
            late=0.0,
            missing=0.0,
            duplicated=0.0,
        )
        self.system = system_of(self.city)
        self.rows = pa.Table.from_batches(self.system.readings()).to_pandas()
        self.labels = {row["kind"]: row for row in self.system.labels().to_pylist()}

    def during(self, kind: str, *, other: bool = False) -> Any:
        """The rows of a fault's asset during the fault, or at other times."""
        label = self.labels[kind]
        mine = self.rows[self.rows[self.system.key] == label["sensor_id"]]
        is_during = (mine["observed_at"] >= label["start"]) & (mine["observed_at"] < label["end"])
        return mine[~is_during if other else is_during]


@pytest.fixture(scope="module")
def cameras() -> Day:
    return Day("cameras", len(CAMERA_FAULTS))


@pytest.fixture(scope="module")
def locks() -> Day:
    return Day("locks", len(LOCK_FAULTS))


@pytest.fixture(scope="module")
def roads() -> Day:
    return Day("traffic", len(ROAD_FAULTS))


def test_an_offline_camera_sends_no_heartbeat(cameras: Day) -> None:
    during = cameras.during("offline")
    assert "heartbeat" not in set(during["topic"])
    assert len(cameras.during("offline", other=True)) > 800


def test_a_switch_takes_all_its_cameras_down(cameras: Day) -> None:
    label = cameras.labels["switch_down"]
    registry = cameras.system.registry().to_pandas()
    behind = registry[registry["switch"] == label["sensor_id"]]["camera_id"]
    assert len(behind) == ON_A_SWITCH
    rows = cameras.rows[cameras.rows["topic"] == "heartbeat"]
    during = rows[(rows["observed_at"] >= label["start"]) & (rows["observed_at"] < label["end"])]
    assert not set(behind) & set(during["camera_id"])
    assert set(behind) <= set(rows["camera_id"])


def test_camera_faults_change_their_column_only_during_the_fault(cameras: Day) -> None:
    half = cameras.during("slow_frames")["frame_rate"].mean()
    assert half == pytest.approx(
        cameras.during("slow_frames", other=True)["frame_rate"].mean() / 2, rel=0.05
    )
    assert not cameras.during("recording_gap")["is_recording"].dropna().any()
    assert cameras.during("recording_gap", other=True)["is_recording"].dropna().all()
    drift = cameras.during("clock_drift")["clock_offset"].dropna()
    assert drift.iloc[-1] > 5
    assert abs(cameras.during("clock_drift", other=True)["clock_offset"]).max() < 1


def test_covered_and_attacked_cameras_send_their_events(cameras: Day) -> None:
    assert "VideoSource/GlobalSceneChange" in set(cameras.during("covered")["topic"])
    logins = cameras.during("intruder")["topic"].value_counts()
    assert logins["Device/SecurityPolicy/AuthFailed"] == 12


def test_lock_faults_send_their_alarm_codes(locks: Day) -> None:
    for kind, code in (("brute_force", 4), ("tamper", 5), ("duress", 8)):
        alarms = locks.during(kind)
        assert (alarms["code"] == code).sum() == 1, kind
    assert (locks.during("brute_force")["kind"] == "operation_error").sum() == 12


def test_one_credential_tries_several_locks(locks: Day) -> None:
    tried = locks.rows[locks.rows["credential"] == locks.labels["spraying"]["sensor_id"]]
    assert tried["lock_id"].nunique() == len(tried) == SPRAYED


def test_a_forced_door_opens_while_locked_and_an_ajar_one_stays_open(locks: Day) -> None:
    forced = locks.during("forced")
    assert ((forced["door_state"] == 0) & (forced["lock_state"] == 1)).any()
    doors = locks.during("ajar")
    opened = doors[doors["door_state"] == 0]["observed_at"].min()
    closed = doors[(doors["kind"] == "door") & (doors["door_state"] == 1)]["observed_at"].max()
    assert (closed - opened).total_seconds() == 238


def test_a_lock_without_power_is_silent_after_its_alarm(locks: Day) -> None:
    assert locks.during("power_cut")["code"].tolist() == [3]
    assert len(locks.during("power_cut", other=True)) > 50


def test_weak_batteries_fall_and_positions_jump(locks: Day) -> None:
    charge = locks.during("weak_battery")["battery"].dropna()
    assert charge.iloc[0] - charge.iloc[-1] == pytest.approx(2.0, abs=0.2)
    jump = locks.during("position_jump")["fix_latitude"].dropna()
    usual = locks.during("position_jump", other=True)["fix_latitude"].dropna()
    assert jump.min() > usual.max() + 0.2


def test_sequences_of_locks_have_no_gap(locks: Day) -> None:
    for _, rows in locks.rows.groupby("lock_id"):
        assert sorted(rows["sequence"]) == list(range(len(rows)))


def test_broken_detectors_show_their_fault(roads: Day) -> None:
    assert roads.during("card_off")["vehicles"].max() == 0
    assert (roads.during("high_value")["occupancy"] == 0.92).mean() == pytest.approx(0.3, abs=0.08)
    constant = roads.during("constant")
    assert constant[["vehicles", "occupancy"]].drop_duplicates().shape[0] == 1
    expected = 8 * 120
    assert len(roads.during("insufficient")) / expected == pytest.approx(0.45, abs=0.06)


def test_an_incident_slows_the_traffic_at_its_station(roads: Day) -> None:
    label = roads.labels["incident"]
    registry = roads.system.registry().to_pandas()
    mine = registry[registry["station"] == label["sensor_id"]]["detector_id"]
    rows = roads.rows[roads.rows["detector_id"].isin(mine)]
    during = (rows["observed_at"] >= label["start"]) & (rows["observed_at"] < label["end"])
    assert rows[during]["speed"].mean() < 15
    assert rows[~during]["speed"].mean() > 60


def test_faulty_links_are_congested_stale_lossy_and_slow() -> None:
    counters = Day("links", 2, sensors=40)
    busy = counters.during("congested")["in_octets"].diff().dropna()
    usual = counters.during("congested", other=True)["in_octets"].diff().dropna()
    assert busy.median() > 1.5 * usual[usual > 0].median()
    stale = counters.during("stale")
    assert stale["uptime"].nunique() == 1
    assert np.ptp(stale["in_octets"]) == 0
    probes = Day("probes", 4, sensors=40)
    assert len(probes.during("outage")) == 0
    assert len(probes.during("lossy")) / 180 == pytest.approx(0.75, abs=0.12)
    assert probes.during("slow")["latency"].min() > 150
    assert probes.during("jittery")["latency"].std() > 10
