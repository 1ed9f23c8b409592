"""`tocsin bench`."""

from __future__ import annotations

from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tocsin.cli.console import DONE, WRONG, complain, note, say, show_json, table

if TYPE_CHECKING:
    from tocsin.evaluation.labelled_series import Labelled
    from tocsin.kernels.batch import Floats


def bench(
    what: Literal["detectors"],  # noqa: ARG001 - the only subject so far
    folder: Path | None = None,
    *,
    detector: list[str] | None = None,
    series: Literal["development", "held-back", "clean"] = "development",
    count: int = 110,
    value: str | None = None,
    label: str | None = None,
    time: str | None = None,
    by: str | None = None,
    inject: int | None = None,
    windows_as_they_are: bool = False,
    scores: Path | None = None,
    plots: Path | None = None,
    json: bool = False,
) -> int:
    """Evaluate detectors on labelled series: VUS-PR, range F1, false alarms a day, delay and speed.

    Parameters
    ----------
    what
        What to evaluate: detectors.
    folder
        Folder of CSV and Parquet files, one series in each. By default the simulator's series.
    detector
        Names, with settings if needed: auto, or robust_z:window=100. By default all detectors that
        need no settings.
    series
        Which of the simulator's series: development; held-back, for final figures, on which no
        detector was tuned; or clean, a week without anomalies.
    count
        Number of the simulator's series.
    value
        Column of the values. By default the one with a usual name, such as value.
    label
        Column of the labels. By default the one with a usual name, such as label.
    time
        Column of the times. By default the one with a usual name, such as timestamp.
    by
        Columns that identify a sensor in a file with several, such as sensor_id,metric.
    inject
        Inject anomalies of known kinds into the series of the folder, with this seed.
    windows_as_they_are
        Use the labels as windows. By default the window score widens them to a tenth of the series.
    scores
        Parquet or CSV file to write raw scores to: detector, series, seq (the row in its file, from
        0), score, calibrated.
    plots
        Folder to write one plot for each series to.
    json
        Print the results as JSON.
    """
    from tocsin.evaluation.datasets import clean, development, held_back, injected
    from tocsin.evaluation.evaluate import evaluate, raises
    from tocsin.evaluation.labelled_series import read_folder

    made = _detectors(detector)
    if made is None:
        return WRONG
    if folder is not None:
        given = read_folder(folder, value, label, time, tuple(by.split(",")) if by else ())
        given = given if inject is None else injected(given, inject)
    else:
        given = {"development": development, "held-back": held_back, "clean": clean}[series](count)
    found, kept = [], {}
    for name, one in made.items():
        note(f"{name} …")
        figures, kept[name] = evaluate(name, one, given, windows_as_they_are)
        found.append(figures)
    if scores is not None:
        _write(scores, given, kept)
    if plots is not None:
        from tocsin.evaluation.plots import plot

        for at, one_series in enumerate(given):
            shown = {
                name: (values[at], raises(values[at], one_series.t, made[name].clear_below))
                for name, values in kept.items()
            }
            plot(plots / f"{one_series.name}.png", one_series, shown)
    if json:
        # JSON has no NaN.
        rows = [asdict(figures) for figures in found]
        show_json(
            [
                {
                    name: None if isinstance(value, float) and isnan(value) else value
                    for name, value in row.items()
                }
                for row in rows
            ]
        )
    else:
        _show(found)
    return DONE


def _detectors(names: list[str] | None) -> dict[str, Any] | None:
    from pydantic import ValidationError

    from tocsin.foundation.failure import UnknownPart
    from tocsin.parts.registry import find, names_of

    made: dict[str, Any] = {}
    for text in names or [name for name in names_of("detectors") if name not in _NEED_SETTINGS]:
        name, _, rest = text.partition(":")
        settings = dict(pair.partition("=")[::2] for pair in rest.split(",") if pair)
        try:
            made[text] = find("detectors", name)(**settings)
            if made[text].several:
                complain(f"{name} scores several columns together; these series have one")
                return None
        except UnknownPart as error:
            complain(str(error))
            return None
        except ValidationError as error:
            complain(
                f"{text}: {error.errors()[0]['loc'][-1:]} {error.errors()[0]['msg']}; "
                "write it as name:setting=value,…"
            )
            return None
    return made


# Their limit comes from the user, not from the data.
_NEED_SETTINGS = (
    "beam_anomaly",
    "contextual",
    "ensemble",
    "missing_data",
    "page_hinkley",
    "principal_components",
    "pyod_model",
    "rate_of_change",
    "river_model",
    "threshold",
)


def _write(file: Path, given: list[Labelled], kept: dict[str, list[Floats]]) -> None:
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv, parquet

    from tocsin.evaluation.evaluate import calibrated
    from tocsin.kernels.csv.formulas import without_formulas

    parts = []
    for name, values in kept.items():
        for one, score in zip(given, values, strict=True):
            size = len(score)
            parts.append(
                pa.table(
                    {
                        "detector": pa.repeat(name, size),
                        "series": pa.repeat(one.name, size),
                        "seq": np.arange(size) if one.rows is None else one.rows,
                        "score": score,
                        "calibrated": calibrated(score),
                    }
                )
            )
    table_ = pa.concat_tables(parts)
    if file.suffix == ".csv":
        # Names of series are names of files, and spreadsheets open this one.
        csv.write_csv(without_formulas(table_), file)
    else:
        parquet.write_table(table_, file)


def _show(found: list[Any]) -> None:
    headers = [
        "detector",
        "VUS-PR",
        "VUS-ROC",
        "range F1",
        "window score",
        "false/day",
        "delay",
        "found",
        "missed",
    ]
    headers += ["readings/s", "state bytes"]
    rows = [
        [
            one.detector,
            one.vus_pr,
            one.vus_roc,
            one.range_f1,
            one.window,
            one.false_a_day,
            one.delay,
            sum(one.found.values()),
            sum(one.missed.values()),
            int(one.readings_a_second),
            one.state_bytes,
        ]
        for one in found
    ]
    say(table(headers, rows, right=tuple(range(1, len(headers)))))
    kinds = sorted({kind for one in found for kind in (*one.found, *one.missed)} - {""})
    if kinds:
        say()
        shown = [
            [
                one.detector,
                *(
                    f"{one.found.get(k, 0)}/{one.found.get(k, 0) + one.missed.get(k, 0)}"
                    for k in kinds
                ),
            ]
            for one in found
        ]
        say(table(["found, by kind", *kinds], shown, right=tuple(range(1, len(kinds) + 1))))
