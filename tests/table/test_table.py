"""What a table keeps: files of every name, marks over checkpoints, snapshots of readers."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyarrow import parquet

from tests.support.tables import table_of
from tocsin.foundation.failure import Failure
from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.data_file import data_path, write_data_file
from tocsin.table.log_files import commit_file
from tocsin.table.table import create_table, open_table

SCHEMA = pa.schema([("number", pa.int64())])
NAMES = [
    *("a b", "a%b", "a%20b", "%", "a+b", "a#b", "a?b", "a&b=c", "x:y", "a\\b", "日本", "é", "~"),
    *("..a", "a..b", "'", '"', "\U0001f600", "n" * 200),
]


@pytest.fixture
def place(tmp_path: Path) -> str:
    """An empty table."""
    found = str(tmp_path / "d")
    create_table(found, SCHEMA, [], {"tocsin.owner": "job/step"})
    return found


def added(place: str, number: int, path: str | None = None) -> NewFile:
    rows = pa.table({"number": [number]}, schema=SCHEMA)
    return write_data_file(place, path or data_path(0, "x"), rows)


def numbers(place: str) -> list[int]:
    """Through another reader than ours."""
    return sorted(pl.scan_delta(place).collect()["number"])


def test_files_of_every_name_are_found_again_and_removed(place: str) -> None:
    for at, name in enumerate(NAMES):
        file = added(place, at, f"data/{name}.parquet")
        commit(place, lambda _, file=file: Change("WRITE", [file]))  # type: ignore[misc]
    table = open_table(place)
    assert table is not None
    assert {file.path for file in table.files()} == {f"data/{name}.parquet" for name in NAMES}
    assert numbers(place) == list(range(len(NAMES)))
    commit(place, lambda table: Change("DELETE", removes=table.files()[::2]))
    table = open_table(place)
    assert table is not None
    assert len(table.files()) == len(NAMES) // 2
    left = [parquet.read_table(Path(place) / file.path)["number"][0] for file in table.files()]
    assert sorted(number.as_py() for number in left) == numbers(place)


def test_marks_survive_a_checkpoint_and_the_loss_of_the_commits_before(place: str) -> None:
    names = ["job/step//s000", "job/step/a1/s001", "covered/s000/city.air/0", "日/ /%/s000"]
    for number in range(12):
        file = added(place, number)
        marks = dict.fromkeys(names, number * 10**15 - 5)
        commit(
            place,
            lambda _, file=file, marks=marks: Change(  # type: ignore[misc]
                "WRITE", [file], marks=marks
            ),
        )
    DeltaTable(place).create_checkpoint()
    for version in range(12):
        commit_file(place, version).unlink()
    table = open_table(place)
    assert table is not None
    assert [table.mark(name) for name in names] == [11 * 10**15 - 5] * 4
    assert table.mark("job/step//s001") is None
    assert table.properties["tocsin.owner"] == "job/step"
    assert numbers(place) == list(range(12))
    # The next commit continues there.
    file = added(place, 12)
    assert commit(place, lambda _: Change("WRITE", [file], marks={names[0]: 7})) == 13
    table = open_table(place)
    assert table is not None
    assert table.mark(names[0]) == 7


def test_a_mark_may_be_before_1970_or_beyond_9999(place: str) -> None:
    for number in (-(2**62), -1, 0, 2**61 + 1):
        commit(place, lambda _, number=number: Change("X", marks={"m": number}))  # type: ignore[misc]
        table = open_table(place)
        assert table is not None
        assert table.mark("m") == number


def test_a_reader_keeps_its_snapshot(place: str) -> None:
    one = added(place, 1)
    commit(place, lambda _: Change("WRITE", [one], marks={"m": 1}))
    reader, old = DeltaTable(place), open_table(place)
    assert old is not None
    two = added(place, 2)
    commit(place, lambda table: Change("WRITE", [two], table.files(), {"m": 2}))
    assert reader.to_pyarrow_dataset().to_table()["number"].to_pylist() == [1]
    assert ([file.path for file in old.files()], old.mark("m")) == ([one.path], 1)
    assert numbers(place) == [2]


def test_a_change_of_nothing_is_no_commit(place: str) -> None:
    assert commit(place, lambda _: None) is None
    assert open_table(place).version == 0  # type: ignore[union-attr]


def test_a_change_is_computed_from_what_others_committed_meanwhile(place: str) -> None:
    seen = []

    def change_of(table: object) -> Change:
        seen.append(open_table(place).version)  # type: ignore[union-attr]
        if len(seen) == 1:
            between = added(place, 1)
            commit(place, lambda _: Change("WRITE", [between], marks={"other": 1}))
        return Change("WRITE", marks={"mine": 1})

    assert commit(place, change_of) == 2
    assert seen == [0, 1]
    table = open_table(place)
    assert table is not None
    assert (table.mark("other"), table.mark("mine")) == (1, 1)


@pytest.mark.parametrize("content", ["", "\n", '{"commitInfo": {}}\n{"add": {"pa', '{"add'])
def test_a_broken_newest_commit_is_named(place: str, content: str) -> None:
    file = added(place, 1)
    commit(place, lambda _: Change("WRITE", [file]))
    broken = commit_file(place, 2)
    broken.write_text(content)
    with pytest.raises(Failure, match=str(broken)) as refused:
        open_table(place)
    assert "cannot be read" in refused.value.sentence
    with pytest.raises(Failure, match=str(broken)):
        commit(place, lambda _: Change("WRITE"))
    broken.unlink()
    assert numbers(place) == [1]


def test_a_commit_of_bytes_is_named(place: str) -> None:
    commit_file(place, 1).write_bytes(b"\xff\xfe{}")
    with pytest.raises(Failure, match=str(commit_file(place, 1))):
        open_table(place)


def test_columns_and_properties_are_added_in_the_same_commit(place: str, tmp_path: Path) -> None:
    one = added(place, 1)
    commit(place, lambda _: Change("WRITE", [one]))
    rows = pa.table({"number": [2], "name": ["b"]})
    two = write_data_file(place, data_path(0, "x"), rows)
    columns = [pa.field("name", pa.string())]
    commit(place, lambda _: Change("WRITE", [two], columns=columns, properties={"a": "é"}))
    table = table_of(tmp_path, "d")
    assert table.schema.names == ["number", "name"]
    assert table.properties == {"tocsin.owner": "job/step", "a": "é"}
    assert (table.version, len(table.files())) == (2, 2)
    found = pl.scan_delta(place).sort("number").collect()
    assert found.to_dicts() == [{"number": 1, "name": None}, {"number": 2, "name": "b"}]
    rows = DeltaTable(place).to_pyarrow_dataset().to_table()
    assert sorted(rows["name"].to_pylist(), key=str) == [None, "b"] or rows.num_rows == 2


def test_a_folder_without_a_log_has_no_table(tmp_path: Path) -> None:
    assert open_table(str(tmp_path)) is None
    assert open_table(str(tmp_path / "nowhere")) is None
    with pytest.raises(Failure, match="there is no table in"):
        commit(str(tmp_path), lambda _: Change("WRITE"))


def test_no_hidden_file_is_left(place: str) -> None:
    for number in range(3):
        file = added(place, number)
        commit(place, lambda _, file=file: Change("WRITE", [file]))  # type: ignore[misc]
    assert sorted(path.name for path in (Path(place) / "_delta_log").iterdir()) == [
        f"{version:020}.json" for version in range(4)
    ]
    shutil.rmtree(place)


def test_a_refreshed_table_is_the_one_that_is_opened(place: str, tmp_path: Path) -> None:
    kept = open_table(place)
    assert kept is not None
    chance = random.Random(18)
    for number in range(40):
        file = added(place, number)
        change = Change(
            "WRITE",
            [file],
            marks={f"m{chance.randrange(4)}": number},
            columns=[pa.field(f"c{number}", pa.int64())] if number % 10 == 3 else [],
            properties={"n": str(number)} if number % 7 == 2 else {},
        )
        commit(place, lambda _, change=change: change)  # type: ignore[misc]
        if number in (15, 30):
            DeltaTable(place).create_checkpoint()
        if number == 30:  # The commits that the kept table has not read are gone.
            for version in range(25):
                commit_file(place, version).unlink(missing_ok=True)
        if chance.random() < 0.3 and not 20 < number < 31:
            kept.refresh()
            fresh = open_table(place)
            assert fresh is not None
            names = [f"m{one}" for one in range(5)]
            assert [kept.mark(name) for name in names] == [fresh.mark(name) for name in names]
            assert (kept.version, kept.properties) == (fresh.version, fresh.properties)
            assert kept.schema == fresh.schema
            if chance.random() < 0.5:
                assert kept.files() == fresh.files()
    kept.refresh()
    assert (kept.version, len(kept.files())) == (40, 40)


def test_a_table_that_was_made_again_is_read_from_its_beginning(place: str) -> None:
    kept = open_table(place)
    assert kept is not None
    for number in range(3):
        commit(place, lambda _, number=number: Change("X", marks={"m": number}))  # type: ignore[misc]
    kept.refresh()
    shutil.rmtree(place)
    with pytest.raises(Failure, match="is gone"):
        kept.refresh()
    create_table(place, SCHEMA, [], {})
    kept.refresh()
    assert (kept.version, kept.mark("m"), kept.properties) == (0, None, {})


def test_a_refresh_names_a_broken_commit(place: str) -> None:
    kept = open_table(place)
    assert kept is not None
    for content in ("", '{"add": {"pa'):
        commit_file(place, 1).write_text(content)
        with pytest.raises(Failure, match=str(commit_file(place, 1))):
            commit(place, lambda _: Change("X"), kept)
