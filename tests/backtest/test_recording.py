"""A recording in CSV keeps texts of digits, and its event times have the source's unit."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tocsin.backtest.recording import Recording
from transforms.read.read_files import ReadFiles


def test_digits_of_a_recording_stay_text(tmp_path: Path) -> None:
    table = pa.table({"sensor": ["007"], "at": [1772445600]})
    parquet.write_table(table, tmp_path / "x.parquet")
    source = ReadFiles(files=str(tmp_path / "x.parquet"), event_time="at", time_unit="seconds")
    (tmp_path / "recording.csv").write_text("at,sensor\n1772445600,007\n1772445599,042\n")
    found = Recording(str(tmp_path / "recording.csv"), source)
    assert found.table.column("sensor").to_pylist() == ["042", "007"]
    assert found.times.tolist() == [1772445599_000_000, 1772445600_000_000]
