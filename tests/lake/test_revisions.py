"""The newest revision of each window and key: in each reader, and folded where none can follow."""

from __future__ import annotations

import importlib
import json
import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.support.lakes import partitioned
from tests.support.table_files import HOUR, START, add, put, rows_of, written
from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import with_traits
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import compact
from tocsin.lake.datasets import table_of
from tocsin.lake.folding import fold_revisions
from tocsin.lake.footers import footer, offsets_in, units_in
from tocsin.lake.maintenance import maintain
from tocsin.lake.newest import newest, newest_in_pandas, newest_in_polars
from tocsin.lake.newest_sql import newest_sql, sql_of
from tocsin.parts.registry import find
from tocsin.table.commit import Change, commit
from tocsin.table.owner import OWNER

KEYS = json.dumps(["window_start", "k"])
COLUMNS = "window_start, k, revision, x"
OFFSETS = json.dumps({"t": {"0": [0, 9]}})


def rows(*values: tuple[int, str | None, int, int], **more: Any) -> pa.Table:
    names = ["window_start", "k", "revision", "x"]
    columns = dict(zip(names, map(list, zip(*values, strict=True)), strict=True))
    return pa.table({**columns, **more})


def closed_at(dataset: Path, mark: int) -> None:
    """Give a dataset an owner and its mark."""
    properties, marks = {OWNER: "j/s"}, {"j/s//s000": mark}
    commit(str(dataset), lambda _: Change("WRITE", marks=marks, properties=properties))


@pytest.fixture
def revised(tmp_path: Path) -> Path:
    """A window that a revision an hour later replaces wholly."""
    about = {"keys": KEYS, "offsets": OFFSETS, "lateness": HOUR}
    put(tmp_path / "d", rows((0, "a", 0, 1)), **about)
    put(tmp_path / "d", rows((0, "a", 1, 2)), **about, unit=f"{START}.s000.r1")
    return tmp_path


def test_a_span_that_may_get_a_later_revision_is_not_folded(revised: Path) -> None:
    """It falls due an hour after the span's end."""
    for mark in (START + HOUR, START + 2 * HOUR - 1):
        closed_at(revised / "d", mark)
        assert fold_revisions(revised / "d") == 0
    closed_at(revised / "d", START + 2 * HOUR)
    assert fold_revisions(revised / "d", older_than=1) == 0, "newer than the newest file less this"
    assert fold_revisions(revised / "d") == 1
    assert rows_of(revised, "d_all", COLUMNS) == [(0, "a", 1, 2)]


def test_a_run_that_has_not_ended_is_not_folded(tmp_path: Path) -> None:
    for revision in range(2):
        unit = f"{START}.s000.r{revision}"
        put(tmp_path / "d", rows((0, "a", revision, 1)), keys=KEYS, run="run1", unit=unit)
    closed_at(tmp_path / "d", START + 9 * HOUR)
    assert fold_revisions(tmp_path / "d") == 0
    commit(str(tmp_path / "d"), lambda _: Change("END", marks={"j/s/run1/s000/end": 1}))
    assert fold_revisions(tmp_path / "d") == 1


def test_folding_keeps_units_and_offsets_of_a_file_without_rows(revised: Path) -> None:
    closed_at(revised / "d", START + 2 * HOUR)
    before = table_of(revised / "d").version
    assert maintain(revised, older_than=HOUR, fold=True)[0].folded == 0
    assert fold_revisions(revised / "d") == 1
    heads = [footer(revised / "d" / file.path) for file in table_of(revised / "d").files()]
    assert sorted(unit for head in heads for unit in units_in(head)) == [
        f"{START}.s000.r0",
        f"{START}.s000.r1",
    ]
    assert audit_lake(revised).problems == []
    for program in (newest, newest_in_pandas):
        assert len(program(revised, "d")) == 1
    assert newest_in_polars(revised, "d").collect().height == 1
    # Readers keep their snapshot.
    assert rows_of(revised, "d_all", COLUMNS) == [(0, "a", 1, 2)]
    assert len(newest(revised, "d", at=str(before))) == 1
    assert DeltaTable(revised / "d", version=before).to_pyarrow_table().num_rows == 2
    compact(revised, 0)
    (file,) = table_of(revised / "d").files()
    head = footer(revised / "d" / file.path)
    assert (offsets_in(head), head["tocsin.lateness"]) == ({"t": {"0": (0, 9)}}, str(HOUR))
    assert len(units_in(head)) == 2
    assert fold_revisions(revised / "d") == 0


def test_folded_rows_do_not_come_back_with_a_replay(tmp_path: Path) -> None:
    def batch(revision: int) -> pa.RecordBatch:
        one = partitioned(pa.array(["a", "b"][: 2 - revision]))
        count = one.num_rows
        starts = pa.array([START] * count, pa.timestamp("us", "UTC"))
        one = one.append_column("window_start", starts)
        one = one.append_column("revision", pa.array([revision] * count, pa.int32()))
        return one.replace_schema_metadata(
            with_traits(
                one.schema, aggregated=True, keys=("place",), allowed_lateness=HOUR
            ).metadata
        )

    def write(sink: Any, *revisions: int) -> None:
        for revision in revisions:
            sink.write(batch(revision), f"{START}.s000.r{revision}")
            sink.flush()

    def sink() -> Any:
        made = find("write", "write_to_lake")(lake=str(tmp_path), dataset="d", span="1 h")
        made.set_step_name("j/s")
        return made

    first = sink()
    write(first, 0, 1)
    assert fold_revisions(tmp_path / "d") == 1
    for again in (first, sink()):
        write(again, 0, 1)
        assert rows_of(tmp_path, "d_all", "place, revision") == [("a", 1), ("b", 0)]


@pytest.mark.parametrize("seed", range(5))
def test_every_reader_shows_the_same_newest_rows(seed: int, tmp_path: Path, tocsin: Any) -> None:
    chance = random.Random(seed)
    expected: dict[tuple[int, str | None], tuple[int, int]] = {}
    for number in range(6):
        values = []
        for window in range(4):
            for key in ("a", "b`\"'", None):
                if chance.random() < 0.5:
                    values.append((window, key, number, chance.randrange(100)))
                    expected[window, key] = values[-1][2:]
        if values:
            # A later file has another column, so the table has one that older files lack.
            more = {"place": ["p"] * len(values)} if number > 2 else {}
            file = written(tmp_path / "d", rows(*values, **more), number, keys=KEYS)
            add(tmp_path / "d", file, schema=rows(*values, **more).schema)
            if more and "place" not in table_of(tmp_path / "d").schema.names:
                commit(
                    str(tmp_path / "d"),
                    lambda _: Change("WRITE", columns=[pa.field("place", pa.string())]),
                )
    wanted = sorted([(*key, *value) for key, value in expected.items()], key=str)
    dataset = DeltaTable(tmp_path / "d").to_pyarrow_dataset()
    assert dataset is not None
    names = COLUMNS.split(", ")
    columns = [f'"{name}"' for name in table_of(tmp_path / "d").schema.names]
    sql = sql_of("dataset", columns, ['"window_start"', '"k"'], '"revision"').rstrip(";")
    arrow = newest(tmp_path, "d").select(names).to_pylist()
    found = {
        "view": rows_of(tmp_path, "d", COLUMNS),
        "sql": duckdb.sql(f"select {COLUMNS} from ({sql})").fetchall(),
        "arrow": [tuple(row.values()) for row in arrow],
        "polars": newest_in_polars(tmp_path, "d").select(names).collect().rows(),
    }
    for program, some in found.items():
        assert sorted(some, key=str) == wanted, program
    frame = newest_in_pandas(tmp_path, "d")
    assert sorted(frame["x"].tolist()) == sorted(row[3] for row in wanted)


def test_the_sql_of_each_program_names_its_table(revised: Path, tocsin: Any) -> None:
    (spark,) = newest_sql(revised, "spark").values()
    assert spark == (
        "select `window_start`, `k`, `revision`, `x` from (select `window_start`, `k`, `revision`, "
        "`x`, row_number() over (partition by `window_start`, `k` order by `revision` desc) as "
        f"_newest from delta.`{revised / 'd'}`) as ranked where _newest = 1;"
    )
    code, out, _ = tocsin("lake", revised, "newest", "--dialect", "trino")
    assert (code, out.count("\n")) == (0, 1)
    assert 'from "d") as ranked where _newest = 1;' in out
    put(revised / "r", pa.table({"x": [1]}))
    assert newest_sql(revised, "duckdb", "r")["r"] == (
        f"select \"x\" from delta_scan('{revised / 'r'}');"
    )


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_a_missing_program_is_named(
    name: str, revised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: str) -> None:
        raise ImportError

    monkeypatch.setattr(importlib, "import_module", gone)
    one = newest_in_pandas if name == "pandas" else newest_in_polars
    with pytest.raises(Failure, match=f"{name} is not installed: `pip install {name}`"):
        one(revised, "d")
