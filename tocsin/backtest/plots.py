"""Plots the sensors for which two versions of a job have different alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.backtest.compare import Difference, Episode
from tocsin.backtest.engine import Engine
from tocsin.compiler.job import Job
from tocsin.foundation.failure import Failure
from tocsin.kernels.aggregation.accumulators import numbers
from tocsin.kernels.batch import EVENT_TIME, Floats, Int64s, micros
from tocsin.parts.stateful_step import ScoreColumns, StatefulStep

_MOST = 30
"""The most plots that are drawn."""


def draw_plots(
    folder: Path, before: Job | None, after: Job, recording: str, found: Difference
) -> int:
    """Draw a PNG for each sensor and rule with a new or gone alarm; return their number.

    folder: is created. before: the old version; None to draw without its scores.
    recording: path of the readings. found: the difference to draw, up to 30 plots. Raises Failure
    without matplotlib.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise Failure("plots need matplotlib: pip install matplotlib") from None
    mpl.use("agg")
    wanted = list(dict.fromkeys((one.rule, one.key) for one in [*found.new, *found.gone]))[:_MOST]
    scored = {"before": _scored(before, recording), "now": _scored(after, recording)}
    folder.mkdir(parents=True, exist_ok=True)
    for rule, key in wanted:
        lines = {name: _of_sensor(batches.get(rule), key) for name, batches in scored.items()}
        alarms = {"before": found.before, "now": found.after}
        mine = {
            name: [one for one in ones if (one.rule, one.key) == (rule, key)]
            for name, ones in alarms.items()
        }
        _draw(folder / f"{quote(f'{rule} {key}', safe=' =,')}.png", f"{rule}: {key}", lines, mine)
    return len(wanted)


def _scored(job: Job | None, recording: str) -> dict[str, tuple[ScoreColumns, pa.Table]]:
    """The step and the scored rows of each rule."""
    if job is None:
        return {}
    scoring: dict[str, ScoreColumns] = {}
    for step in job.steps:
        columns = step.part.score_columns() if isinstance(step.part, StatefulStep) else None
        if columns is not None:
            scoring[step.name] = columns
    rows = Engine(job, {(name, "output") for name in scoring}).run(recording)
    return {
        columns.rule or name: (columns, pa.Table.from_batches(rows[name, "output"]))
        for name, columns in scoring.items()
        if rows[name, "output"]
    }


def _of_sensor(
    scored: tuple[ScoreColumns, pa.Table] | None, key: str
) -> tuple[Int64s, Floats, Floats] | None:
    """Times (microseconds), values and scores of one sensor; None without the rule."""
    if scored is None:
        return None
    shown, rows = scored
    texts = [
        pc.binary_join_element_wise(f"{name}=", rows.column(name).cast(pa.string()), "")
        for name in shown.keys
    ]
    chosen = (
        rows.filter(pc.equal(pc.binary_join_element_wise(*texts, ","), key))
        if rows.num_rows
        else rows
    )
    columns = [numbers(chosen.column(name).combine_chunks()) for name in (shown.value, shown.score)]
    times = micros(chosen.column(EVENT_TIME))
    order = np.argsort(times, kind="stable")
    return times[order], columns[0][order], columns[1][order]


def _draw(file: Path, title: str, lines: dict[str, Any], alarms: dict[str, list[Episode]]) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(3, 1, figsize=(12, 6), sharex=True, height_ratios=[2, 1, 1])
    axes[0].set_title(title, fontsize=9)
    for axis, name in zip(axes[1:], ("before", "now"), strict=True):
        axis.set_ylabel(f"score {name}", fontsize=8)
        if lines[name] is None:
            continue
        times, values, scores = lines[name]
        when = times.astype("datetime64[us]")
        axes[0].plot(when, values, linewidth=0.6, color="tab:blue")
        axis.plot(when, np.clip(scores, 0, 5), linewidth=0.6, color="tab:green")
        axis.axhline(1.0, linewidth=0.6, color="tab:orange")
        for one in alarms[name]:
            until = one.end.replace(tzinfo=None) if one.end is not None else when[-1]
            axis.axvspan(one.start.replace(tzinfo=None), until, color="tab:red", alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    plt.close(figure)
