"""A dataset of the layout before tables becomes a table with the same rows."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.table_files import HOUR, START, readings, rows_of
from tocsin.foundation.failure import Failure
from tocsin.kernels.path_encoding import path_part
from tocsin.lake.adoption import adopt
from tocsin.lake.audit import audit_lake
from tocsin.lake.datasets import files_of, table_of
from tocsin.lake.query import open_lake
from tocsin.table import commit as commits

ODD = [None, "", "%", "%25", "a/b", "..", "x=y", "007", "__HIVE_DEFAULT_PARTITION__"]


def old(file: Path, rows: Any, **head: Any) -> Path:
    """A file as an earlier release wrote it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    about = {"unit": f"{START}.s000.r0", "until": START + HOUR, "keys": "[]", "offsets": "{}"}
    footer = {f"tocsin.{name}": str(value) for name, value in {**about, **head}.items()}
    parquet.write_table(rows.replace_schema_metadata(footer), file)
    return file


def test_values_of_folders_become_columns(tmp_path: Path) -> None:
    kinds = json.dumps({"place": "string"})
    for number, value in enumerate(ODD):
        rows = readings(number, 1).drop_columns("lock_id")
        folder = tmp_path / "d" / "date=2026-03-02" / f"place={path_part(value)}"
        old(folder / "20260302T000000Z-1h-s000-r0.parquet", rows, partitions=kinds)
    with pytest.raises(Failure, match=r"tocsin lake .* adopt --dataset d"):
        open_lake(tmp_path)
    done = adopt(tmp_path / "d")
    assert (done.adopted, done.rewritten, done.rows) == (0, len(ODD), len(ODD))
    found = rows_of(tmp_path, "d", "_offset, place, date")
    day = dt.date(2026, 3, 2)
    assert found == [(number, value, day) for number, value in enumerate(ODD)]
    assert audit_lake(tmp_path).problems == []
    assert [path.name for path in (tmp_path / "d").iterdir()] in (
        [["data", "_delta_log"], ["_delta_log", "data"]]
    )


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("int32", "-7", -7), ("uint16", "7", 7), ("bool", "True", True), ("double", "1.5", 1.5)],
)
def test_values_have_their_declared_types(kind: str, text: str, value: Any, tmp_path: Path) -> None:
    folder = tmp_path / "d" / f"n={path_part(text)}"
    old(folder / "a.parquet", readings(0, 1), partitions=json.dumps({"n": kind}))
    adopt(tmp_path / "d")
    assert rows_of(tmp_path, "d", "n") == [(value,)]


def test_files_without_such_values_stay_where_they_are(tmp_path: Path) -> None:
    kept = old(tmp_path / "d" / "a.parquet", readings(0))
    old(tmp_path / "d" / "b.parquet", readings(1).append_column("n", pa.array([1] * 6, pa.uint8())))
    done = adopt(tmp_path / "d")
    assert (done.adopted, done.rewritten) == (1, 1), "a table has no unsigned integers"
    assert kept in files_of(tmp_path)
    assert kept.exists()
    assert len(rows_of(tmp_path, "d")) == 12


def test_an_adoption_that_was_cut_off_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        old(tmp_path / "d" / f"date=2026-03-0{number + 1}" / "a.parquet", readings(number))

    def fails(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("tocsin.lake.adoption.commit", fails)
        with pytest.raises(KeyboardInterrupt):
            adopt(tmp_path / "d")
    assert adopt(tmp_path / "d").rewritten == 3
    assert len(rows_of(tmp_path, "d")) == 18
    assert adopt(tmp_path / "d").rewritten == 0
    assert commits.commit(str(tmp_path / "d"), lambda _: None) is None


def test_a_file_that_cannot_be_read_stops_it_and_nothing_changes(tmp_path: Path) -> None:
    good = old(tmp_path / "d" / "date=2026-03-02" / "a.parquet", readings(0))
    bad = good.with_name("b.parquet")
    bad.write_bytes(b"PAR1")
    with pytest.raises(Failure, match=f"{bad}: cannot be read"):
        adopt(tmp_path / "d")
    assert sorted((tmp_path / "d").rglob("*.parquet")) == [good, bad]
    assert not (tmp_path / "d" / "_delta_log").exists()


def test_types_that_do_not_fit_are_a_sentence(tmp_path: Path) -> None:
    old(tmp_path / "d" / "a.parquet", pa.table({"x": [1]}))
    old(tmp_path / "d" / "b.parquet", pa.table({"x": ["a"]}))
    with pytest.raises(Failure, match="files whose columns differ in type"):
        adopt(tmp_path / "d")


def test_an_owner_is_set_and_his_marks_cover_the_files(tmp_path: Path, tocsin: Any) -> None:
    old(tmp_path / "d" / "date=2026-03-02" / "a.parquet", readings(0))
    code, out, _ = tocsin(
        "lake", tmp_path, "adopt", "--dataset", "d", "--owner", "air/Lake", "--json"
    )
    assert (code, json.loads(out)[0]["owner"]) == (0, "air/Lake")
    table = table_of(tmp_path / "d")
    assert table.properties["tocsin.owner"] == "air/Lake"
    assert table.mark("air/Lake//s000") == START + HOUR
    assert adopt(tmp_path / "d", "other/Lake").owner == "other/Lake"
    assert len(rows_of(tmp_path, "d")) == 6
    assert tocsin("lake", tmp_path, "adopt", "--owner", "air/Lake")[0] == 2
