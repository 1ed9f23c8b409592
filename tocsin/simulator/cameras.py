"""Cameras of a simulated city: heartbeats and ONVIF events, with labelled faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP, Int64s, timestamps
from tocsin.simulator.anomalies import label_rows
from tocsin.simulator.city import City
from tocsin.simulator.delivery import by_blocks

KINDS = (
    "offline",
    "switch_down",
    "slow_frames",
    "recording_gap",
    "covered",
    "clock_drift",
    "intruder",
)
ON_A_SWITCH = 8
STATUS = pa.schema(
    [
        pa.field("camera_id", pa.string()),
        pa.field("observed_at", TIMESTAMP),
        pa.field("topic", pa.string()),
        pa.field("state", pa.bool_()),
        pa.field("frame_rate", pa.float64()),
        pa.field("bit_rate", pa.float64()),
        pa.field("is_recording", pa.bool_()),
        pa.field("clock_offset", pa.float64()),
    ]
)
_SECOND, _MINUTE, _HOUR = 1_000_000, 60_000_000, 3_600_000_000
_BEAT = 30 * _SECOND
_EVENTS = {
    "covered": "VideoSource/GlobalSceneChange",
    "intruder": "Device/SecurityPolicy/AuthFailed",
}


@dataclass(frozen=True)
class _Fault:
    kind: str
    camera: int
    start: int
    end: int


class Cameras:
    """The status of `city.sensors` cameras, with `city.anomalies` faults, kinds in turn."""

    key = "camera_id"

    def __init__(self, city: City) -> None:
        self.city = city
        self.ids = [f"cam-{number:05d}" for number in range(city.sensors)]
        random = city.random(1)
        self.configured = random.choice([12.5, 25.0], city.sensors)
        self.faults = self._draw_faults()

    def _draw_faults(self) -> list[_Fault]:
        """At most one fault for each switch."""
        random, city = self.city.random(2), self.city
        switches = random.permutation(city.sensors // ON_A_SWITCH)
        found = []
        for at in range(min(city.anomalies, len(switches))):
            moment = (
                city.start + int(city.duration * random.uniform(0.35, 0.7)) // _MINUTE * _MINUTE
            )
            kind = KINDS[at % len(KINDS)]
            length = {"intruder": 2, "clock_drift": 180}.get(kind, 30)
            end = min(moment + length * _MINUTE, city.start + city.duration)
            found.append(
                _Fault(
                    kind,
                    int(switches[at]) * ON_A_SWITCH + int(random.integers(ON_A_SWITCH)),
                    moment,
                    end,
                )
            )
        return found

    def labels(self) -> pa.Table:
        """sensor_id (the camera or switch), metric (empty), kind, start and end of each fault."""
        return label_rows(
            (
                _switch(one.camera) if one.kind == "switch_down" else self.ids[one.camera],
                one.kind,
                one.start,
                one.end,
            )
            for one in self.faults
        )

    def registry(self) -> pa.Table:
        """camera_id, switch, configured_rate (frames a second), district, latitude, longitude."""
        places = self.city.places().registry()
        return pa.table(
            {
                "camera_id": self.ids,
                "switch": [_switch(number) for number in range(len(self.ids))],
                "configured_rate": self.configured,
                **{name: places.column(name) for name in ("district", "latitude", "longitude")},
            }
        )

    def readings(self) -> Iterator[pa.RecordBatch]:
        """Status in order of arrival, one batch for each hour of event time."""
        return by_blocks(self.city, _HOUR, self._block)

    def _block(self, first: int, last: int, random: np.random.Generator) -> pa.RecordBatch:
        return pa.concat_batches(
            [self._beats(first, last, random), self._events(first, last, random)]
        )

    def _beats(self, first: int, until: int, random: np.random.Generator) -> pa.RecordBatch:
        ticks = np.arange(first, until, _BEAT, dtype=np.int64)
        count = len(self.ids)
        phase = self.city.random(5).integers(0, 30, count) * _SECOND
        camera = np.tile(np.arange(count), len(ticks))
        times = (ticks[:, None] + phase).ravel()
        rate = self.configured[camera] * np.clip(
            1 + random.normal(-0.01, 0.01, len(camera)), 0, 1.02
        )
        recording = np.ones(len(camera), bool)
        offset = random.normal(0, 0.05, len(camera))
        kept = np.ones(len(camera), bool)
        for one in self.faults:
            here = (camera == one.camera) & (times >= one.start) & (times < one.end)
            if one.kind == "switch_down":
                kept &= ~(
                    (camera // ON_A_SWITCH == one.camera // ON_A_SWITCH)
                    & (times >= one.start)
                    & (times < one.end)
                )
            elif one.kind == "offline":
                kept &= ~here
            elif one.kind == "slow_frames":
                rate[here] *= 0.5
            elif one.kind == "recording_gap":
                recording[here] = False
            elif one.kind == "clock_drift":
                offset[here] += (times[here] - one.start) / 1e6 / 3600 * 4
        columns = [
            pa.array(self.ids).take(pa.array(camera)),
            timestamps(times),
            pa.repeat("heartbeat", len(camera)),
            pa.nulls(len(camera), pa.bool_()),
            pa.array(np.round(rate, 2)),
            pa.array(np.round(rate * 160, 0)),
            pa.array(recording),
            pa.array(np.round(offset, 3)),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=STATUS).filter(pa.array(kept))

    def _events(self, first: int, until: int, random: np.random.Generator) -> pa.RecordBatch:
        """Occasional motion, passing scene changes, and the events of faults."""
        count = random.poisson(0.5 * len(self.ids))
        camera, when = (
            random.integers(0, max(len(self.ids), 1), count),
            random.integers(first, until, count) // _SECOND * _SECOND,
        )
        topics = np.where(
            random.random(count) < 0.9, "VideoSource/MotionAlarm", "VideoSource/GlobalSceneChange"
        ).astype(object)
        cameras: list[Int64s] = [camera, camera]
        times: list[Int64s] = [when, np.minimum(when + 20 * _SECOND, until - _SECOND)]
        names, states = [topics, topics], [np.ones(count, bool), np.zeros(count, bool)]
        for one in self.faults:
            if one.kind not in _EVENTS:
                continue
            at = (
                np.array([one.start, one.end])
                if one.kind == "covered"
                else one.start + np.arange(12, dtype=np.int64) * 6 * _SECOND
            )
            state = np.array([True, False]) if one.kind == "covered" else np.ones(len(at), bool)
            here = (at >= first) & (at < until)
            cameras.append(np.full(int(here.sum()), one.camera))
            times.append(at[here])
            names.append(np.full(int(here.sum()), _EVENTS[one.kind], object))
            states.append(state[here])
        size = sum(map(len, times))
        columns = [
            pa.array(self.ids).take(pa.array(np.concatenate(cameras))),
            timestamps(np.concatenate(times)),
            pa.array(np.concatenate(names), pa.string()),
            pa.array(np.concatenate(states)),
            *(pa.nulls(size, field.type) for field in list(STATUS)[4:]),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=STATUS)


def _switch(camera: int) -> str:
    return f"switch-{camera // ON_A_SWITCH:04d}"
