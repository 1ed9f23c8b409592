"""Who may write a dataset, and what becomes of the rows of earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lakes import HOUR, START, partitioned
from tests.support.tables import live_rows, strays, table_of, values
from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import SYSTEM_FIELDS, readings_schema, timestamps, with_traits
from tocsin.parts.registry import find

MINUTE = 60_000_000


def sink(lake: Path, run: str, step: str = "city/places", **settings: Any) -> Any:
    made = find("write", "write_to_lake")(lake=str(lake), dataset="places", **settings)
    made.set_step_name(step)
    made.set_run(run)
    return made


def readings(names: list[str], first: int, at: int = START) -> pa.RecordBatch:
    """Readings of one moment with consecutive offsets."""
    batch = partitioned(pa.array(names, pa.string()), at=at)
    offsets = pa.array([first + number for number in range(len(names))])
    place = batch.schema.get_field_index("_offset")
    return batch.set_column(place, batch.schema.field(place), offsets)


def windows(names: list[str], at: int = START, hours: int = 1) -> pa.RecordBatch:
    """Results of windows of some hours."""
    end = at + hours * HOUR
    fields = [
        pa.field("window_start", timestamps(np.array([at])).type),
        pa.field("window_end", timestamps(np.array([at])).type),
        pa.field("place", pa.string()),
        pa.field("revision", pa.int32()),
    ]
    schema = with_traits(
        readings_schema(fields, topic="city.places", allowed_lateness=0),
        aggregated=True,
        keys=("place",),
    )
    count = len(names)
    columns = [
        timestamps(np.full(count, at)),
        timestamps(np.full(count, end)),
        pa.array(names),
        pa.array([0] * count, pa.int32()),
        timestamps(np.full(count, end - 1)),
        *(pa.nulls(count, field.type) for field in SYSTEM_FIELDS[1:]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def write(one: Any, batch: pa.RecordBatch, shard: int = 0, revision: int = 0) -> None:
    at = batch.column("_event_time")[0].value
    start = at // one.span * one.span
    one.write(batch, f"{start}.s{shard:03d}.r{revision}")
    one.flush()


def places(lake: Path) -> list[Any]:
    return values(lake, "places", "place")


def test_a_further_run_continues_behind_the_offsets_of_a_finished_one(tmp_path: Path) -> None:
    one = sink(tmp_path, "r1")
    write(one, readings(["a", "b"], 0))
    one.end(0)
    other = sink(tmp_path, "r2")
    write(other, readings(["a", "b", "c"], 0))
    write(other, readings(["d"], 3, START + HOUR))
    other.end(0)
    assert places(tmp_path) == ["a", "b", "c", "d"]
    third = sink(tmp_path, "r3", span="1 h")
    write(third, readings(["a", "b", "c", "d"], 0))
    third.end(0)
    assert places(tmp_path) == ["a", "b", "c", "d"]
    assert strays(tmp_path, "places") == []


def test_a_further_run_replaces_an_unfinished_one(tmp_path: Path) -> None:
    lost = sink(tmp_path, "r1")
    write(lost, readings(["a"], 0))
    other = sink(tmp_path, "r2")
    write(other, readings(["a", "b"], 0))
    other.end(0)
    assert places(tmp_path) == ["a", "b"]


def test_the_finished_shards_of_an_unfinished_run_are_kept(tmp_path: Path) -> None:
    lost = sink(tmp_path, "r1", shards=2)
    write(lost, readings(["a"], 0), shard=0)
    write(lost, readings(["b"], 1), shard=1)
    lost.end(0)
    other = sink(tmp_path, "r2", shards=2)
    write(other, readings(["b", "d"], 1), shard=1)
    write(other, readings(["a", "c"], 0), shard=0)
    assert places(tmp_path) == ["a", "b", "c", "d"]


def test_a_run_that_another_replaced_writes_no_more(tmp_path: Path) -> None:
    one, other = sink(tmp_path, "r1"), sink(tmp_path, "r2")
    write(one, readings(["a"], 0))
    write(other, readings(["a"], 0))
    with pytest.raises(Failure, match="another run of 'city/places' writes the dataset 'places'"):
        write(one, readings(["b"], 1, START + HOUR))
    write(other, readings(["b"], 1, START + HOUR))
    assert places(tmp_path) == ["a", "b"]


def test_a_run_may_append(tmp_path: Path) -> None:
    for run in ("r1", "r2"):
        one = sink(tmp_path, run, rerun="append")
        write(one, readings(["a", "b"], 0))
        one.end(0)
    assert places(tmp_path) == ["a", "a", "b", "b"]


@pytest.mark.parametrize("rerun", ["replace", "continue"])
def test_results_of_a_further_run_replace_those_of_their_span(tmp_path: Path, rerun: str) -> None:
    one = sink(tmp_path, "r1", span="1 h", rerun=rerun)
    write(one, windows(["a", "b"]))
    write(one, windows(["c"], START + HOUR))
    one.end(0)
    other = sink(tmp_path, "r2", span="1 h", rerun=rerun)
    write(other, windows(["a", "x"]))
    assert places(tmp_path) == ["a", "c", "x"]


def test_readings_are_replaced_if_a_run_says_so(tmp_path: Path) -> None:
    one = sink(tmp_path, "r1")
    write(one, readings(["a", "b"], 0))
    write(one, readings(["c"], 2, START + HOUR))
    one.end(0)
    write(sink(tmp_path, "r2", rerun="replace"), readings(["x"], 0))
    assert places(tmp_path) == ["c", "x"]


def test_a_file_of_a_longer_span_keeps_its_other_rows(tmp_path: Path) -> None:
    one = sink(tmp_path, "r1", span="1 h")
    minutes = pa.Table.from_batches(
        [readings([name], at, START + at * 20 * MINUTE) for at, name in enumerate("abc")]
    )
    write(one, minutes.combine_chunks().to_batches()[0])
    one.end(0)
    other = sink(tmp_path, "r2", rerun="replace", span="15 min")
    write(other, readings(["x"], 1, START + 20 * MINUTE))
    assert places(tmp_path) == ["a", "c", "x"]
    write(other, readings(["y"], 2, START + 40 * MINUTE))
    assert places(tmp_path) == ["a", "x", "y"]
    long = sink(tmp_path, "r3", rerun="replace", span="1 d")
    write(long, readings(["z"], 0))
    assert places(tmp_path) == ["z"]


def test_a_file_of_longer_windows_keeps_its_other_rows(tmp_path: Path) -> None:
    one = sink(tmp_path, "r1", span="1 d")
    day = pa.Table.from_batches(
        [windows([name], START + at * HOUR) for at, name in enumerate("abc")]
    )
    write(one, day.combine_chunks().to_batches()[0])
    write(sink(tmp_path, "r2", span="1 h"), windows(["x"], START + HOUR))
    assert places(tmp_path) == ["a", "c", "x"]


def test_another_step_is_refused_with_both_names(tmp_path: Path) -> None:
    write(sink(tmp_path, ""), readings(["a"], 0))
    other = sink(tmp_path, "", step="city/other")
    with pytest.raises(Failure, match="belongs to 'city/places', and 'city/other' may not write"):
        write(other, readings(["b"], 1))
    assert places(tmp_path) == ["a"]
    assert strays(tmp_path, "places") == []


def test_a_step_that_lost_the_dataset_while_it_ran_is_refused(tmp_path: Path) -> None:
    from tocsin.table.commit import Change, commit

    one = sink(tmp_path, "")
    write(one, readings(["a"], 0))
    adopted = Change("ADOPT", properties={"tocsin.owner": "city/other"})
    commit(str(tmp_path / "places"), lambda _: adopted)
    with pytest.raises(Failure, match="belongs to 'city/other', and 'city/places' may not write"):
        write(one, readings(["b"], 1, START + HOUR))
    write(sink(tmp_path, "", step="city/other"), readings(["c"], 2, START + 2 * HOUR))
    assert places(tmp_path) == ["a", "c"]


def test_a_run_with_an_end_does_not_write_the_dataset_of_a_live_job(tmp_path: Path) -> None:
    write(sink(tmp_path, ""), readings(["a"], 0))
    one = sink(tmp_path, "r1")
    with pytest.raises(Failure, match=r"a live job writes the dataset 'places'.*tocsin backfill"):
        one.check_target()
    with pytest.raises(Failure, match="a live job writes the dataset 'places'"):
        write(one, readings(["b"], 1))


def test_a_live_job_continues_where_runs_with_an_end_finished(tmp_path: Path) -> None:
    one = sink(tmp_path, "r1")
    write(one, readings(["a", "b"], 0))
    one.end(0)
    live = sink(tmp_path, "")
    write(live, readings(["a", "b", "c"], 0))
    write(live, readings(["d"], 3, START + HOUR))
    assert places(tmp_path) == ["a", "b", "c", "d"]
    assert table_of(tmp_path, "places").properties["tocsin.kind"] == "live"
    with pytest.raises(Failure, match="a live job writes the dataset"):
        sink(tmp_path, "r2").check_target()


def test_another_number_of_shards_would_double_rows(tmp_path: Path) -> None:
    one = sink(tmp_path, "r1")
    write(one, readings(["a"], 0))
    one.end(0)
    with pytest.raises(Failure, match="written with `shards: 1`, and this run has 2; keep 1"):
        write(sink(tmp_path, "r2", shards=2), readings(["a"], 0), shard=1)
    write(sink(tmp_path, "r3", shards=2, rerun="replace"), readings(["b"], 1), shard=1)
    assert places(tmp_path) == ["b"]
    assert table_of(tmp_path, "places").properties["tocsin.shards"] == "2"


def test_two_recordings_are_both_kept_and_each_is_read_once(tmp_path: Path) -> None:
    for run, name in enumerate(("one", "two", "one", "two")):
        made = sink(tmp_path, f"r{run}")
        write(made, partitioned(pa.array([name]), topic=f"file:{name}.jsonl"))
        made.end(0)
    assert places(tmp_path) == ["one", "two"]


def test_a_new_column_is_added_and_a_missing_one_is_null(tmp_path: Path) -> None:
    live = sink(tmp_path, "")
    write(live, readings(["a"], 0))
    batch = readings(["b"], 1, START + HOUR)
    wider = batch.append_column(pa.field("height", pa.float32()), pa.array([2.0], pa.float32()))
    write(sink(tmp_path, ""), wider.replace_schema_metadata(batch.schema.metadata))
    write(live, readings(["c"], 2, START + 2 * HOUR))
    write(sink(tmp_path, ""), readings(["d"], 3, START + 3 * HOUR))
    rows = live_rows(tmp_path, "places").sort_by("place")
    assert rows.column("height").to_pylist() == [None, 2.0, None, None]
    assert table_of(tmp_path, "places").schema.field("height").type == pa.float32()


def test_another_type_is_refused_with_both_types(tmp_path: Path) -> None:
    write(sink(tmp_path, ""), readings(["a"], 0))
    other = partitioned(pa.array([1], pa.int32()))
    with pytest.raises(Failure, match="'place' is string in the dataset 'places', and int32 in"):
        write(sink(tmp_path, ""), other)


@settings(max_examples=8)
@given(
    runs=st.lists(
        st.tuples(st.integers(0, 12), st.booleans(), st.sampled_from(["15 min", "1 h", "2 h"])),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_earlier_runs_read_each_row_is_there_once(
    runs: list[tuple[int, bool, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Runs read a topic that grows; some of them are lost on the way. The last one ends."""
    lake = tmp_path_factory.mktemp("lake")
    topic = [(f"p{at}", START + at * 10 * MINUTE) for at in range(12)]
    length = 0
    for number, (given_length, ends, span) in enumerate([*runs, (12, True, "1 h")]):
        length = max(length, given_length)
        one = sink(lake, f"r{number}", span=span)
        width = one.span
        rows = [(name, at, offset) for offset, (name, at) in enumerate(topic[:length])]
        for start in sorted({at // width for _, at, _ in rows}):
            here = [row for row in rows if row[1] // width == start]
            if not ends and start > rows[-1][1] // width - 1:
                break
            parts = [readings([name], offset, at) for name, at, offset in here]
            batch = pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
            write(one, batch)
        if ends:
            one.end(0)
    assert places(lake) == sorted(name for name, _ in topic)
