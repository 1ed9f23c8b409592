"""A day of sensors, each of which misbehaves in its own way, with the alarms to expect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Floats, Int64s, timestamps
from tocsin.simulator.city import READINGS

MINUTE = 60_000_000
START = 1_772_409_600_000_000  # 2026-03-02T00:00Z
DAY = 1440
"""Readings of a sensor in a day: one a minute."""
FAULT = 720
"""The reading at which the sensors begin to misbehave."""
CLEAN = 12
"""Sensors that behave."""


@dataclass(frozen=True)
class Misbehaviour:
    """How one sensor misbehaves.

    rules: at least one of them must raise an alarm; if empty, no rule may.
    """

    sensor: str
    kind: str
    rules: tuple[str, ...]


MISBEHAVIOURS = (
    Misbehaviour(
        "lies", "reads two degrees more than there are, for an hour", ("Shift", "Anything")
    ),
    Misbehaviour("drifts", "drifts away by three degrees in eight hours", ("Shift",)),
    Misbehaviour("sticks", "says the same for two hours", ("Stuck",)),
    Misbehaviour("repeats", "sends each reading three times", ()),
    Misbehaviour("jumps", "jumps by four degrees and stays there", ("Shift", "Anything")),
    Misbehaviour("reboots", "has the clock of 1970 for half an hour after a reboot", ("Silent",)),
    Misbehaviour("foresees", "dates twenty readings a day ahead", ("Silent",)),
    Misbehaviour("shared", "is two devices with one name", ("Alternating",)),
    Misbehaviour(
        "imperial",
        "sends degrees Fahrenheit from a moment on",
        ("Shift", "Anything", "Alternating"),
    ),
)


def day(
    seed: int = 0, lost: tuple[int, int] | None = None, held_up: tuple[int, int] | None = None
) -> pa.RecordBatch:
    """Readings of a day in order of arrival, with the columns of `READINGS`.

    lost: first and last minute of an outage in which no sensor sends. held_up: minutes whose
    readings arrive together at their end, as after a failure of the network.
    """
    random = np.random.default_rng([seed, 30])
    weather = 0.25 * np.cumsum(random.normal(size=DAY)) * 0.2
    weather -= np.linspace(0, weather[-1], DAY)
    names: list[str] = []
    observed: list[Int64s] = []
    values: list[Floats] = []
    sent: list[Int64s] = []
    for name in [*(f"clean-{n:02d}" for n in range(CLEAN)), *(one.sensor for one in MISBEHAVIOURS)]:
        at = (
            START
            + np.arange(DAY, dtype=np.int64) * MINUTE
            + int(random.integers(0, 50)) * 1_000_000
        )
        x = 18.0 + weather * 0.2 + random.normal(0, 0.3, DAY) + random.uniform(-2, 2)
        at, x, moment = _misbehave(name, at, x, at + 2_000_000, random)
        names += [name] * len(at)
        observed.append(at)
        values.append(np.round(x, 2))
        sent.append(moment)
    arrived = np.concatenate(sent)
    kept = np.ones(len(arrived), bool)
    if lost is not None:
        kept = (arrived < START + lost[0] * MINUTE) | (arrived >= START + lost[1] * MINUTE)
    if held_up is not None:
        arrived = _held_up(arrived, *held_up)
    order = np.argsort(arrived, kind="stable")
    order = order[kept[order]]
    columns = [
        pa.array(names),
        pa.repeat("temperature", len(names)),
        timestamps(np.concatenate(observed)),
        pa.array(np.concatenate(values)),
        pa.array(np.ones(len(names), np.int32)),
        timestamps(arrived),
    ]
    return pa.RecordBatch.from_arrays(
        [column.take(pa.array(order)) for column in columns], schema=READINGS
    )


def _held_up(arrived: Int64s, first_minute: int, last_minute: int) -> Int64s:
    """Arrivals (microseconds) with those of some minutes moved to just before their end."""
    first, last = START + first_minute * MINUTE, START + last_minute * MINUTE
    # Delayed readings are sent first, in their order.
    return np.where(
        (arrived >= first) & (arrived < last),
        last - MINUTE // 60 + (arrived - first) // 21_600,
        arrived,
    )


def _misbehave(
    name: str, at: Int64s, x: Floats, sent: Int64s, random: np.random.Generator
) -> tuple[Int64s, Floats, Int64s]:
    """Event times, values and sending times of a sensor after its misbehaviour."""
    later = slice(FAULT, None)
    if name == "lies":
        x[FAULT : FAULT + 60] += 2.0
    elif name == "drifts":
        x[FAULT : FAULT + 480] += np.linspace(0, 3, 480)
        x[FAULT + 480 :] += 3
    elif name == "sticks":
        x[FAULT : FAULT + 120] = x[FAULT]
    elif name == "repeats":
        at, x, sent = (
            np.repeat(at, 3),
            np.repeat(x, 3),
            np.repeat(sent, 3) + np.tile(np.array([0, 1, 2]) * 1_000_000, DAY),
        )
    elif name == "jumps":
        x[later] += 4.0
    elif name == "reboots":
        at = at.copy()
        at[FAULT : FAULT + 30] = np.arange(30) * MINUTE
    elif name == "foresees":
        at = at.copy()
        at[FAULT : FAULT + 20] += DAY * MINUTE
    elif name == "shared":
        other = 27.0 + random.normal(0, 0.3, DAY)
        at = np.concatenate([at, at[later] + 20_000_000])
        x, sent = (
            np.concatenate([x, other[later]]),
            np.concatenate([sent, sent[later] + 20_000_000]),
        )
    elif name == "imperial":
        x[later] = x[later] * 9 / 5 + 32
    return at, x, sent
