"""Plots a series: values, labels, scores, alarm line and alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tocsin.evaluation.labelled_series import Labelled
from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import Floats, Int64s


def plot(file: Path, series: Labelled, scores: dict[str, tuple[Floats, Int64s]]) -> None:
    """Write a plot as PNG; its folder is created.

    scores: for each detector its scores, and the positions of the readings that raise an alarm.
    Raises Failure without matplotlib.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise Failure("plots need matplotlib: pip install matplotlib") from None
    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        1 + len(scores), 1, figsize=(12, 2 + 1.6 * len(scores)), sharex=True, squeeze=False
    )
    times: Any = (series.t * 1e6).astype("datetime64[us]")
    axes[0][0].plot(times, series.x, linewidth=0.6)
    axes[0][0].set_title(series.name, fontsize=9)
    for row, (name, (values, raised)) in enumerate(scores.items(), 1):
        axis = axes[row][0]
        axis.plot(times, np.clip(values, 0, 10), linewidth=0.6, color="tab:green")
        axis.axhline(1.0, linewidth=0.6, color="tab:orange")
        axis.plot(times[raised], np.ones(len(raised)), "v", color="tab:red", markersize=5)
        axis.set_ylabel(name, fontsize=8)
    for axis in axes[:, 0]:
        for begin, end in series.ranges:
            axis.axvspan(times[begin], times[min(end, len(times) - 1)], color="tab:red", alpha=0.2)
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=80)
    plt.close(figure)
