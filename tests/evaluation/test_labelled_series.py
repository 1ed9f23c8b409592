"""Folders of CSV and Parquet files become labelled series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tocsin.evaluation.datasets import INJECTED, injected
from tocsin.evaluation.labelled_series import read_folder
from tocsin.foundation.failure import Failure


def test_series_are_read_with_any_usual_names_of_columns(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.csv").write_text(
        "timestamp,value\n2014-04-01 00:05:00,2\n2014-04-01 00:00:00,1\n"
    )
    (tmp_path / "two.csv").write_text("Data,Label\n1,0\n2,1\n3,1\n")
    (tmp_path / "three.out").write_text("0.5,0\n0.7,1\n")
    parquet.write_table(
        pa.table({"ts": [1, 2], "level": [3.0, None], "is_anomaly": [False, True]}),
        tmp_path / "four.parquet",
    )
    found = {one.name: one for one in read_folder(tmp_path)}
    assert found["a/one"].x.tolist() == [1, 2]
    assert np.diff(found["a/one"].t).tolist() == [300]
    assert found["a/one"].rows is not None
    assert found["a/one"].rows.tolist() == [1, 0]
    assert found["two"].ranges == ((1, 3),)
    assert found["three"].ranges == ((1, 2),)
    assert found["four"].ranges == ((1, 2),)
    assert np.isnan(found["four"].x[1])
    with pytest.raises(Failure, match="no column 'speed'"):
        read_folder(tmp_path, value="speed")
    with pytest.raises(Failure, match=r"no \.csv or \.parquet"):
        read_folder(tmp_path / "a" / "nothing")


def test_sensors_of_one_file_become_series_into_which_anomalies_are_injected(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(0)
    rows = [
        (f"s{n}", at, float(20 + random.normal()))
        for n in range(3)
        for at in range(400 if n else 50)
    ]
    sensors, times, values = zip(*rows, strict=True)
    parquet.write_table(
        pa.table({"sensor": sensors, "time": times, "value": values}), tmp_path / "city.parquet"
    )
    series = read_folder(tmp_path, by=("sensor",))
    assert [one.name for one in series] == ["city/s1", "city/s2"]
    changed = injected(series, 7)
    for before, after in zip(series, changed, strict=True):
        assert set(after.kinds) <= set(INJECTED)
        marked = np.zeros(400, bool)
        for begin, end in after.ranges:
            marked[begin:end] = True
        assert (before.x[~marked] == after.x[~marked]).all() or "level" in after.kinds
        assert (before.x[marked] != after.x[marked]).any()
    assert [one.ranges for one in injected(series, 7)] == [one.ranges for one in changed]
    with pytest.raises(Failure, match="no column 'nothing'"):
        read_folder(tmp_path, by=("nothing",))
