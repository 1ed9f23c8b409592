"""An export is one plain file with the newest rows, whole or absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from tests.support.table_files import put, readings
from tocsin.foundation.failure import Failure
from tocsin.lake.datasets import files_of
from tocsin.lake.export import export


def test_points_are_geoparquet(lake: Path, tmp_path: Path) -> None:
    to = tmp_path / "locks.parquet"
    done = export(lake, "locks", to)
    assert (done.rows, done.geometry) == (72, True)
    table = parquet.read_table(to)
    assert json.loads(table.schema.metadata[b"geo"])["primary_column"] == "geometry"
    assert not [key for key in table.schema.metadata if key.startswith(b"tocsin.offsets")]
    assert [path.name for path in tmp_path.glob("*.parquet")] == ["locks.parquet"]
    assert not list(tmp_path.glob(".*"))


def test_the_newest_revision_of_each_window_is_exported(windows: Path, tmp_path: Path) -> None:
    to = tmp_path / "d.parquet"
    assert export(windows, "d", to).rows == 3
    found = parquet.read_table(to, columns=["window_start", "k", "x"]).to_pylist()
    assert sorted(row["x"] for row in found) == [2, 3, 9]
    assert export(windows, "d", to, at="1").rows == 3
    assert sorted(parquet.read_table(to).column("x").to_pylist()) == [1, 2, 3]


def test_an_export_replaces_a_file_or_leaves_it(tmp_path: Path) -> None:
    put(tmp_path / "d", readings(0))
    put(tmp_path / "d", readings(1), 1)
    to = tmp_path / "out.parquet"
    to.write_bytes(b"old")
    files_of(tmp_path)[1].unlink()
    with pytest.raises(Failure, match="cannot be read"):
        export(tmp_path, "d", to)
    assert to.read_bytes() == b"old"
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize(
    ("to", "says"), [("d/out.parquet", "is inside of the dataset"), ("no/out.parquet", "cannot")]
)
def test_a_place_that_does_not_fit_is_a_sentence(to: str, says: str, tmp_path: Path) -> None:
    put(tmp_path / "d", readings(0))
    with pytest.raises(Failure, match=says):
        export(tmp_path, "d", tmp_path / to)


def test_the_command_names_missing_options(tmp_path: Path, tocsin: Any) -> None:
    put(tmp_path / "d", readings(0))
    code, _, errors = tocsin("lake", tmp_path, "export")
    assert (code, errors.count("\n")) == (2, 1)
    assert "--dataset NAME --to FILE" in errors
    to = tmp_path / "o.parquet"
    code, out, _ = tocsin("lake", tmp_path, "export", "--dataset", "d", "--to", to, "--json")
    assert (code, json.loads(out)[0]["rows"]) == (0, 6)
