"""Connected locks of a simulated city: door events and heartbeats, with labelled faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP, Int64s, micros, timestamps
from tocsin.simulator.anomalies import label_rows
from tocsin.simulator.city import City
from tocsin.simulator.delivery import delivered, in_order_of_arrival

KINDS = (
    "brute_force",
    "spraying",
    "forced",
    "ajar",
    "tamper",
    "duress",
    "power_cut",
    "weak_battery",
    "position_jump",
)
HEARTBEAT, OPERATION, ERROR, ALARM, DOOR = (
    "heartbeat",
    "operation",
    "operation_error",
    "alarm",
    "door",
)
LOCKED, UNLOCKED, OPEN, CLOSED = 1, 2, 0, 1
SPRAYED = 8
"""The number of locks that one credential tries."""

EVENTS = pa.schema(
    [
        pa.field("lock_id", pa.string()),
        pa.field("observed_at", TIMESTAMP),
        pa.field("boot", pa.int32()),
        pa.field("sequence", pa.int64()),
        pa.field("kind", pa.string()),
        pa.field("code", pa.int32()),
        pa.field("source", pa.string()),
        pa.field("credential", pa.string()),
        pa.field("lock_state", pa.int32()),
        pa.field("door_state", pa.int32()),
        pa.field("battery", pa.float64()),
        pa.field("fix_latitude", pa.float64()),
        pa.field("fix_longitude", pa.float64()),
    ]
)
_SECOND, _MINUTE, _DAY = 1_000_000, 60_000_000, 86_400_000_000
_NONE = -1
MOVING = 10
"""One of this many locks moves: it is on a shared bicycle or a container."""
# The events of a visit: seconds from its start, kind, code, state of the lock and of the door.
_VISIT = (
    (0, OPERATION, 1, UNLOCKED, CLOSED),
    (2, DOOR, _NONE, UNLOCKED, OPEN),
    (9, DOOR, _NONE, UNLOCKED, CLOSED),
    (12, OPERATION, 0, LOCKED, CLOSED),
)
_Some = tuple[Int64s, Int64s, str, int, str, int, int, int]
_Events = list[_Some]


class Locks:
    """The events of `city.sensors` locks, with `city.anomalies` faults, kinds in turn."""

    key = "lock_id"

    def __init__(self, city: City) -> None:
        self.city = city
        self.ids = [f"lock-{number:05d}" for number in range(city.sensors)]

    def _faults(self) -> list[tuple[str, int, int]]:
        """Kind, position among the shuffled locks and start of each fault; one a lock at most."""
        random = self.city.random(2)
        locks = random.permutation(self.city.sensors)
        found, at = [], 0
        for number in range(self.city.anomalies):
            kind = KINDS[number % len(KINDS)]
            width = SPRAYED if kind == "spraying" else 1
            if at + width > len(locks):
                break
            moment = self.city.start + int(self.city.duration * random.uniform(0.35, 0.75))
            found.append(
                (
                    kind,
                    at,
                    self.city.start if kind == "weak_battery" else moment // _SECOND * _SECOND,
                )
            )
            at += width
        return found

    def _chosen(self, at: int, count: int = 1) -> Int64s:
        chosen: Int64s = (
            self.city.random(2).permutation(self.city.sensors)[at : at + count].astype(np.int64)
        )
        return chosen

    def labels(self) -> pa.Table:
        """sensor_id, metric (empty), kind, start and end of each fault.

        sensor_id is the lock, or the credential that tried many locks.
        """
        found = []
        for kind, at, start in self._faults():
            name = (
                f"credential-{at:05d}" if kind == "spraying" else self.ids[int(self._chosen(at)[0])]
            )
            lengths = {
                "power_cut": 40 * _MINUTE,
                "position_jump": 12 * _MINUTE,
                "weak_battery": self.city.duration,
            }
            length = lengths.get(kind, 5 * _MINUTE)
            found.append((name, kind, start, start + length))
        return label_rows(found)

    def registry(self) -> pa.Table:
        """lock_id, district, latitude, longitude."""
        places = self.city.places().registry()
        return pa.table(
            {
                "lock_id": self.ids,
                **{name: places.column(name) for name in ("district", "latitude", "longitude")},
            }
        )

    def readings(self) -> Iterator[pa.RecordBatch]:
        """Events in order of arrival, one batch for each hour."""
        rows = self._events()
        random = self.city.random(6)
        city = self.city
        rows = delivered(rows, random, city)
        arrived = micros(rows.column("received_at"))
        bounds = np.arange(city.start, int(arrived.max(initial=city.start)) + 1, 3_600 * _SECOND)
        cuts = np.r_[np.searchsorted(arrived, bounds), rows.num_rows]
        yield from in_order_of_arrival(
            (int(bound) + 3_600 * _SECOND, rows.slice(low, high - low))
            for bound, low, high in zip(bounds, cuts[:-1], cuts[1:], strict=True)
        )

    def _events(self) -> pa.RecordBatch:
        city, random = self.city, self.city.random(7)
        events: _Events = []
        locks = np.arange(city.sensors)
        beats = np.arange(city.start, city.start + city.duration, 5 * _MINUTE)
        phase = random.integers(0, 300, city.sensors) * _SECOND
        events.append(
            _same(
                np.tile(locks, len(beats)),
                (beats[:, None] + phase).ravel(),
                HEARTBEAT,
                _NONE,
                "",
                _NONE,
            )
        )
        events += self._visits(random)
        gone: list[tuple[int, int, int]] = []
        for kind, at, start in self._faults():
            events += self._fault_events(kind, at, start, random)
            if kind == "power_cut":
                gone.append((int(self._chosen(at)[0]), start, start + 40 * _MINUTE))
        return self._numbered(events, gone, random)

    def _visits(self, random: np.random.Generator) -> _Events:
        """Visits, mostly by day and at least three minutes apart; some people mistype first."""
        city = self.city
        count = random.poisson(40 * city.duration / _DAY, city.sensors)
        lock = np.repeat(np.arange(city.sensors), count)
        hour = random.normal(14, 4, len(lock)) % 24
        days = random.integers(0, max(-(-city.duration // _DAY), 1), len(lock))
        at = city.start + ((days * 24 + hour) * 3.6e9).astype(np.int64) // _SECOND * _SECOND
        at = np.where(
            at < city.start + city.duration, at, city.start + (at - city.start) % city.duration
        )
        order = np.lexsort((at, lock))
        lock, at = lock[order], at[order]
        apart = np.r_[True, (np.diff(at) > 3 * _MINUTE) | (np.diff(lock) != 0)]
        # Nobody visits a door during its fault.
        for _, number, start in self._faults():
            apart &= ~((lock == self._chosen(number)[0]) & (np.abs(at - start) < 10 * _MINUTE))
        lock, at = lock[apart], at[apart]
        found: _Events = []
        for after, kind, code, lock_state, door_state in _VISIT:
            source = "Keypad" if kind == OPERATION else ""
            found.append(
                (lock, at + after * _SECOND, kind, code, source, lock_state, door_state, _NONE)
            )
        typo = random.random(len(lock)) < 0.03
        found.append(_same(lock[typo], at[typo] - 6 * _SECOND, ERROR, 1, "Keypad", _NONE))
        return found

    def _fault_events(self, kind: str, at: int, start: int, random: np.random.Generator) -> _Events:
        lock = self._chosen(at)
        moment = np.array([start])
        if kind == "brute_force":
            tries = start + np.arange(12, dtype=np.int64) * 4 * _SECOND
            return [
                _same(np.repeat(lock, 12), tries, ERROR, 1, "Keypad", _NONE),
                _same(lock, tries[-1:] + _SECOND, ALARM, 4, "", _NONE),
            ]
        if kind == "spraying":
            many = self._chosen(at, SPRAYED)
            return [
                _same(
                    many,
                    start + np.arange(SPRAYED, dtype=np.int64) * 25 * _SECOND,
                    ERROR,
                    1,
                    "RFID",
                    at,
                )
            ]
        if kind == "forced":
            shut = (lock, moment + 150 * _SECOND, DOOR, _NONE, "", LOCKED, CLOSED, _NONE)
            return [(lock, moment, DOOR, _NONE, "", LOCKED, OPEN, _NONE), shut]
        if kind == "ajar":
            return [
                (lock, moment, OPERATION, 1, "Keypad", UNLOCKED, CLOSED, _NONE),
                (lock, moment + 2 * _SECOND, DOOR, _NONE, "", UNLOCKED, OPEN, _NONE),
                (lock, moment + 240 * _SECOND, DOOR, _NONE, "", UNLOCKED, CLOSED, _NONE),
                (lock, moment + 243 * _SECOND, OPERATION, 0, "Auto", LOCKED, CLOSED, _NONE),
            ]
        codes = {"tamper": 5, "duress": 8, "power_cut": 3}
        return [_same(lock, moment, ALARM, codes[kind], "", _NONE)] if kind in codes else []

    def _numbered(
        self, events: _Events, gone: list[tuple[int, int, int]], random: np.random.Generator
    ) -> pa.RecordBatch:
        """All events by lock and time, with their sequence; none while a lock has no power."""
        lock = np.concatenate([one[0] for one in events])
        at = np.concatenate([one[1] for one in events])
        sizes = [len(one[0]) for one in events]
        order = np.lexsort((at, lock))
        for number, start, end in gone:
            order = order[~((lock[order] == number) & (at[order] > start) & (at[order] < end))]

        def column(place: int, kind: Any) -> np.ndarray:
            values: list[Any] = [one[place] for one in events]
            return np.repeat(np.array(values, kind), sizes)[order]

        lock, at = lock[order], at[order]
        first = np.searchsorted(lock, lock)
        lock_state, door_state = column(5, np.int32), column(6, np.int32)
        # A heartbeat or an error repeats the state after the last operation or door event.
        known = np.where(lock_state >= 0, np.arange(len(lock)), -1)
        last = np.maximum.accumulate(known)
        has = last >= first
        battery = self._battery(lock, at, random)
        code, credential = column(3, np.int32), column(7, np.int64)
        names = [f"credential-{number:05d}" for number in range(int(credential.max(initial=0)) + 1)]
        kinds, sources = column(2, object), column(4, object)
        columns = [
            pa.array(self.ids).take(pa.array(lock)),
            timestamps(at),
            pa.array(np.ones(len(lock), np.int32)),
            pa.array(np.arange(len(lock)) - first),
            pa.array(kinds, pa.string()),
            pa.array(code, mask=code < 0),
            pa.array(sources, pa.string(), mask=sources == ""),
            pa.array(names).take(pa.array(credential, mask=credential < 0)),
            pa.array(np.where(has, lock_state[last], LOCKED).astype(np.int32)),
            pa.array(np.where(has, door_state[last], CLOSED).astype(np.int32)),
            pa.array(battery, mask=kinds != HEARTBEAT),
            *self._fixes(lock, at, kinds == HEARTBEAT),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=EVENTS)

    def _battery(self, lock: Int64s, at: Int64s, random: np.random.Generator) -> np.ndarray:
        """Charge in per cent: it falls by about 0.1 a day, and by 6 where the battery is weak."""
        level = random.uniform(60, 95, self.city.sensors)
        slope = random.uniform(0.05, 0.2, self.city.sensors)
        for kind, number, _ in self._faults():
            if kind == "weak_battery":
                slope[self._chosen(number)] = 6.0
                level[self._chosen(number)] = 40.0
        charge = (
            level[lock]
            - slope[lock] * (at - self.city.start) / _DAY
            + random.normal(0, 0.02, len(lock))
        )
        return np.round(np.clip(charge, 0, 100), 2)

    def _fixes(self, lock: Int64s, at: Int64s, beats: np.ndarray) -> list[pa.Array]:
        """Latitude and longitude in the heartbeats of moving locks; null in other events.

        A lock moves in circles of some hundred metres, one in half an hour to an hour. A fault
        moves it far away for a while.
        """
        moves = np.arange(self.city.sensors) % MOVING == 0
        jumps = [
            (int(self._chosen(number)[0]), start)
            for kind, number, start in self._faults()
            if kind == "position_jump"
        ]
        moves[[one for one, _ in jumps]] = True
        random, places = self.city.random(10), self.city.places().registry()
        turn = (
            random.uniform(1, 2, self.city.sensors)[lock]
            * (at - self.city.start)
            / (3_600 * _SECOND)
            * 2
            * np.pi
        )
        home = [places.column(name).to_numpy()[lock] for name in ("latitude", "longitude")]
        latitude, longitude = home[0] + 0.004 * np.sin(turn), home[1] + 0.006 * np.cos(turn)
        for one, start in jumps:
            latitude = np.where(
                (lock == one) & (at >= start) & (at < start + 12 * _MINUTE),
                latitude + 0.3,
                latitude,
            )
        unknown = ~(beats & moves[lock])
        return [pa.array(np.round(one, 5), mask=unknown) for one in (latitude, longitude)]


def _same(lock: Int64s, at: Int64s, kind: str, code: int, source: str, credential: int) -> _Some:
    """Events that leave the state of the lock and the door unchanged."""
    return lock, at, kind, code, source, _NONE, _NONE, credential
