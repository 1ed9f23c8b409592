"""What goes wrong in the city, with labels: spikes, stuck sensors, silence; and what is normal trouble of delivery."""

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
    """One injected anomaly of one series (sensor and metric, by number), from start to end in microseconds."""

    series: int
    kind: str
    start: int
    end: int


def draw(
    count: int, series: int, start: int, end: int, cadence: int, random: np.random.Generator
) -> list[Anomaly]:
    """`count` anomalies of different series, each long enough to be told from noise, kinds in turn."""
    chosen = random.permutation(series)[: min(count, series)]
    found = []
    for at, number in enumerate(chosen.tolist()):
        kind = KINDS[at % len(KINDS)]
        length = {SPIKE: 5, STUCK: 12, SILENT: 12}[kind] * 60_000_000
        length = max(length, 8 * cadence)
        # After a third of the time, so that detectors have seen what is normal; before the end, so that it can be seen.
        first, last = start + (end - start) // 3, end - length - 3 * 60_000_000
        moment = int(random.integers(first, max(last, first + 1)))
        found.append(
            Anomaly(number, kind, moment // cadence * cadence, moment // cadence * cadence + length)
        )
    return found


def label_rows(found: Iterable[tuple[str, str, int, int]]) -> pa.Table:
    """Labels of things that go wrong with no metric: (who, kind, start, end), times in microseconds."""
    rows = [(who, "", kind, start, end) for who, kind, start, end in found]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(LABELS)
    return pa.table(
        [pa.array(list(one), field.type) for one, field in zip(columns, LABELS, strict=True)],
        schema=LABELS,
    )


def labels(anomalies: list[Anomaly], sensors: list[str], metrics: list[str]) -> pa.Table:
    """The anomalies as a table."""
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
    """Change the values in place where an anomaly holds; gives which rows remain (silent ones go).

    held: of each anomaly, what a series that sticks says.
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
