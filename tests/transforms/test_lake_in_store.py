"""WriteToLake and ReadArchive on an object store: rows once, and nothing that shows a secret."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from tests.support.lakes import HOUR, ROWS, START, batch_of
from tests.support.object_stores import KEY, SECRET, Fault, Proxy
from tests.transforms.lake_process import name_of, write_all
from tocsin.foundation.failpoint import FAILPOINTS_VARIABLE, LAKE
from tocsin.foundation.failure import Failure, Mistake
from tocsin.lake.query import open_views
from tocsin.parts.registry import find
from tocsin.table.leftovers import left_over
from tocsin.table.mirrors import with_datasets
from tocsin.table.places import mirror_for, place_of

PROGRAM = "tests.transforms.lake_process"
ROUNDS = 2
EVERY = sorted(name_of(shard, quarter, 0) for shard in range(2) for quarter in range(ROUNDS))


def sink(lake: str, **config: Any) -> Any:
    return find("write", "write_to_lake")(lake=lake, dataset="locks", span="1 h", **config)


def write(one: Any, batch: pa.RecordBatch, unit: str) -> None:
    one.write(batch, unit)
    one.flush()


def values(lake: str, dataset: str, column: str) -> list[Any]:
    root = with_datasets(mirror_for(lake))
    connection, _ = open_views(root)
    query = f"select {column} from {dataset}_all order by 1"
    return [row[0] for row in connection.execute(query).fetchall()]


@pytest.mark.parametrize("run", ["", "run1"], ids=["live", "bounded"])
@pytest.mark.parametrize("name", LAKE)
def test_replay_after_a_crash_leaves_each_row_once(
    name: str, run: str, tmp_path: Path, store_lake: str
) -> None:
    (tmp_path / name).touch()
    environment = {**os.environ, FAILPOINTS_VARIABLE: str(tmp_path)}
    command = [sys.executable, "-m", PROGRAM, store_lake, run, str(ROUNDS)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    write_all(store_lake, run, ROUNDS)
    assert values(store_lake, "places", "place") == EVERY
    write_all(store_lake, run, ROUNDS)
    assert values(store_lake, "places", "place") == EVERY
    left = left_over(str(place_of(store_lake) / "places"))
    # A bounded run commits its beginning before it writes a file.
    assert len(left.orphans) == (name == "lake.written" or (name == "table.begin" and not run))


def test_four_writers_of_one_step_leave_each_row_once(store_lake: str) -> None:
    command = [sys.executable, "-m", PROGRAM, store_lake, "", str(ROUNDS)]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(120) for process in running] == [0] * 4
    assert values(store_lake, "places", "place") == EVERY


def test_another_step_may_not_write_the_dataset(store_lake: str) -> None:
    one, other = sink(store_lake), sink(store_lake)
    one.set_step_name("city/air")
    other.set_step_name("city/locks")
    one.write(batch_of(0), f"{START}.s000.r0")
    one.flush()
    with pytest.raises(Failure, match="belongs to 'city/air'"):
        other.check_target()
    with pytest.raises(Failure, match="belongs to 'city/air'"):
        other.write(batch_of(1), f"{START + HOUR}.s000.r0")


def test_a_store_that_fails_in_the_middle_loses_no_unit(faulty: Proxy, store_lake: str) -> None:
    for hour, (path, kind) in enumerate(
        [(r"parquet", "500"), (r"\.json", "500"), (r"\.json", "lost"), (r"parquet", "cut")]
    ):
        unit = f"{START + hour * HOUR}.s000.r0"
        one = sink(store_lake)
        faulty.faults = [Fault("PUT", path, kind, 200 if kind == "500" else 1)]
        if kind == "500":
            with pytest.raises(Failure, match=r"cannot write the lake s3://.*answered 500"):
                write(one, batch_of(hour), unit)
        else:
            write(one, batch_of(hour), unit)
        faulty.faults = []
        again = sink(store_lake)
        write(again, batch_of(hour), unit)
    assert values(store_lake, "locks", "_offset") == list(range(4 * ROWS))


def test_the_rest_of_a_replaced_file_outlives_a_commit_without_an_answer(
    faulty: Proxy, store_lake: str
) -> None:
    first = find("write", "write_to_lake")(lake=store_lake, dataset="locks", span="2 h")
    both = pa.Table.from_batches([batch_of(0), batch_of(1)]).combine_chunks().to_batches()[0]
    first.set_run("one")
    write(first, both, f"{START}.s000.r0")
    second = sink(store_lake, rerun="replace")
    second.set_run("two")
    second.write(batch_of(0), f"{START}.s000.r0")
    faulty.faults = [
        Fault("PUT", r"\.json", "lost"),
        Fault("PUT", r"\.json", "500", 100),
    ]
    with pytest.raises(Failure, match="did not confirm a commit"):
        second.flush()
    faulty.faults = []
    for hour in (0, 3):
        write(second, batch_of(hour), f"{START + hour * HOUR}.s000.r0")
    every = [hour * ROWS + row for hour in (0, 1, 3) for row in range(ROWS)]
    assert values(store_lake, "locks", "_offset") == every


def test_a_writer_keeps_no_rows_on_its_machine(store_lake: str) -> None:
    one = sink(store_lake)
    one.write(batch_of(0), f"{START}.s000.r0")
    one.flush()
    assert not list(place_of(store_lake).rglob("*.parquet"))


def test_an_archive_is_read_back_in_order(store_lake: str) -> None:
    one = sink(store_lake, by_arrival=True)
    for hour in range(3):
        one.write(batch_of(hour), f"{START + hour * HOUR}.s000.r0")
    one.flush()
    source = find("read", "read_archive")(
        lake=store_lake, dataset="locks", topic="city.locks", event_time="_event_time"
    )
    (split,) = pickle.loads(pickle.dumps(source)).splits(live=False)
    found = [part for part in source.read(split, 0) if part is not None]
    assert pa.concat_arrays([pa.array(part.offsets) for part in found]).to_pylist() == list(
        range(3 * ROWS)
    )


def test_no_pickle_plan_or_text_of_a_step_has_a_secret(store_lake: str) -> None:
    by_name = {
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "access_key_id": "env:AWS_ACCESS_KEY_ID",
        "secret_access_key": "env:AWS_SECRET_ACCESS_KEY",
    }
    for one in (sink(store_lake), sink(store_lake, store=by_name)):
        one.write(batch_of(0), f"{START}.s000.r0")
        one.flush()
        shown = [pickle.dumps(one), repr(one).encode(), one.model_dump_json().encode()]
        for text in shown:
            assert SECRET.encode() not in text
            assert base64.b64encode(SECRET.encode()) not in text
            assert KEY.encode() not in text
        pickle.loads(shown[0]).check_target()


def test_a_secret_in_a_job_is_refused() -> None:
    settings = {"access_key_id": "env:A", "secret_access_key": SECRET}
    with pytest.raises(ValidationError, match="'secret_access_key' is a secret") as found:
        sink("s3://city-lake/air", store=settings)
    assert "write env:NAME or file:/path" in str(found.value)


def test_missing_credentials_are_a_mistake_with_the_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    with pytest.raises(Mistake, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        sink("s3://city-lake/air").check_target()


def test_settings_of_a_store_need_a_store(tmp_path: Path) -> None:
    settings = {"access_key_id": "env:A", "secret_access_key": "env:B"}
    with pytest.raises(ValidationError, match="'store' is for lakes at s3://"):
        sink(str(tmp_path), store=settings)


@pytest.mark.parametrize("lake", ["s3://", "s3:///air", "s3://city-lake/../x", "s3://city-lake//x"])
def test_an_address_that_names_no_folder_of_a_bucket_is_refused(lake: str) -> None:
    with pytest.raises(ValidationError, match=r"names no bucket|may have no"):
        sink(lake)
