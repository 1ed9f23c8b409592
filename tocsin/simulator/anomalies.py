"""Anomalies of the city's sensors, with labels: spikes, stuck sensors and silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP, Floats, Int64s

SPIKE, STUCK, SILENT = "spike", "stuck", "silent"
KINDS = (SPIKE, STUCK, SILENT)

LABELS = pa.schema(
    [
        pa.field("sensor_id", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("start", TIMESTAMP),
        pa.field("end", TIMESTAMP),
    ]
)


@dataclass(frozen=True)
class Anomaly:
    """One injected anomaly.

    series: number of the series, a sensor and metric. start, end: microseconds.
    """

    series: int
    kind: str
    start: int
    end: int


def draw(
    count: int, series: int, start: int, end: int, cadence: int, random: np.random.Generator
) -> list[Anomaly]:
    """Draw `count` anomalies of different series, with the kinds in turn.

    Each is long enough to differ from noise. start, end, cadence: microseconds.
    """
    chosen = random.permutation(series)[: min(count, series)]
    found = []
    for at, number in enumerate(chosen.tolist()):
        kind = KINDS[at % len(KINDS)]
        length = {SPIKE: 5, STUCK: 12, SILENT: 12}[kind] * 60_000_000
        length = max(length, 8 * cadence)
        # In the last two thirds, so that detectors have learnt the normal, and with time to detect.
        first, last = start + (end - start) // 3, end - length - 3 * 60_000_000
        moment = int(random.integers(first, max(last, first + 1)))
        found.append(
            Anomaly(number, kind, moment // cadence * cadence, moment // cadence * cadence + length)
        )
    return found


def label_rows(found: Iterable[tuple[str, str, int, int]]) -> pa.Table:
    """The labels of anomalies without a metric, with the columns of `LABELS`.

    found: sensor, kind, start and end (microseconds) of each.
    """
    rows = [(who, "", kind, start, end) for who, kind, start, end in found]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(LABELS)
    return pa.table(
        [pa.array(list(one), field.type) for one, field in zip(columns, LABELS, strict=True)],
        schema=LABELS,
    )


def labels(anomalies: list[Anomaly], sensors: list[str], metrics: list[str]) -> pa.Table:
    """The labels of anomalies, with the columns of `LABELS`."""
    rows = [
        {
            "sensor_id": sensors[a.series // len(metrics)],
            "metric": metrics[a.series % len(metrics)],
            "kind": a.kind,
            "start": a.start,
            "end": a.end,
        }
        for a in anomalies
    ]
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in LABELS]
    return pa.Table.from_arrays(columns, schema=LABELS)


def apply_anomalies(
    values: Floats,
    times: Int64s,
    series: Int64s,
    levels: Floats,
    anomalies: list[Anomaly],
    held: Floats,
) -> np.ndarray:
    """Change the values in place where there is an anomaly.

    levels: typical value of each row's metric. held: value of each anomaly's series while it is
    stuck. Returns which rows remain, because silent sensors send none.
    """
    keep = np.ones(len(values), bool)
    order = np.argsort(series, kind="stable")
    bounds = np.searchsorted(series[order], np.arange(series.max(initial=0) + 2))
    for anomaly, value in zip(anomalies, held.tolist(), strict=True):
        if anomaly.series + 1 >= len(bounds):
            continue
        rows = order[bounds[anomaly.series] : bounds[anomaly.series + 1]]
        rows = rows[(times[rows] >= anomaly.start) & (times[rows] < anomaly.end)]
        if not len(rows):
            continue
        if anomaly.kind == SPIKE:
            values[rows] += 3.0 * np.maximum(np.abs(levels[rows]), 1.0)
        elif anomaly.kind == STUCK:
            values[rows] = value
        else:
            keep[rows] = False
    return keep
