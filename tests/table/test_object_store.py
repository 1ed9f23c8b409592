"""Commits to an object store: one writer of a version, whatever becomes of requests and answers."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.object_stores import BUCKET, SECRET, Fault, Proxy, environment, program, server
from tocsin.foundation.failure import Failure, Mistake
from tocsin.table import stored
from tocsin.table.bucket import Unanswered
from tocsin.table.checkpoints import checkpoint
from tocsin.table.commit import Change, commit
from tocsin.table.data_file import data_path, write_data_file
from tocsin.table.history import open_at, versions
from tocsin.table.leftovers import left_over, vacuum
from tocsin.table.places import place_of
from tocsin.table.table import Table, create_table, open_table

PROGRAM = "tests.table.commit_process"
SCHEMA = pa.schema([("name", pa.string()), ("number", pa.int64())])


def start(place: str, name: str, count: int) -> subprocess.Popen[Any]:
    return subprocess.Popen([sys.executable, "-m", PROGRAM, place, name, str(count)])


def table_at(place: str) -> Table:
    found = open_table(place)
    assert found is not None
    return found


def rows_at(place: str) -> Counter[Any]:
    paths = [Path(place) / file.path for file in table_at(place).files()]
    stored.fetch(paths)
    tables = [pa.parquet.read_table(path) for path in paths]
    return Counter(tuple(row.values()) for one in tables for row in one.to_pylist())


@pytest.fixture
def place(store_lake: str) -> str:
    """The folder of a new table in a store."""
    found = str(place_of(store_lake) / "d")
    create_table(found, SCHEMA, [], {})
    return found


def add(place: str, number: int, known: Table | None = None) -> int | None:
    """Commit a file of one row, once."""
    rows = pa.table({"name": ["a"], "number": [number]}, schema=SCHEMA)
    file = write_data_file(place, data_path(0, "a"), rows)

    def change_of(table: Table) -> Change | None:
        if (table.mark("a") or 0) >= number:
            return None
        return Change("WRITE", [file], marks={"a": number})

    return commit(place, change_of, known)


def test_four_processes_on_one_table_lose_and_double_nothing(store_lake: str) -> None:
    names = [f"w{number}" for number in range(4)]
    running = [start(f"{store_lake}/d", name, 5) for name in names]
    assert [process.wait(120) for process in running] == [0] * 4
    place = str(place_of(store_lake) / "d")
    assert table_at(place).version == 20
    assert rows_at(place) == Counter({(name, at): 1 for name in names for at in range(1, 6)})


@pytest.mark.parametrize("seed", range(2))
def test_killed_committers_lose_and_double_nothing(seed: int, store_lake: str) -> None:
    chance, count = random.Random(seed), 8
    running = {name: start(f"{store_lake}/d", name, count) for name in ("a", "b", "c")}
    for _ in range(4):
        time.sleep(chance.uniform(0.3, 1.2))
        victim = chance.choice(sorted(running))
        running[victim].kill()
        running[victim].wait(10)
        running[victim] = start(f"{store_lake}/d", victim, count)
    assert [process.wait(120) for process in running.values()] == [0] * 3
    place = str(place_of(store_lake) / "d")
    assert [table_at(place).mark(name) for name in running] == [count] * 3
    assert rows_at(place) == Counter({(name, at): 1 for name in running for at in range(1, 9)})
    # A file without a commit is left by each process that was killed between the two, at most.
    assert len(left_over(place).orphans) <= 4


def test_only_one_of_many_puts_of_a_key_succeeds(store_lake: str) -> None:
    folder = place_of(store_lake) / "k"
    for number in range(8):
        path = folder / str(number)
        contents = [b"%d" % one for one in range(8)]
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(stored.put_if_absent, [path] * 8, contents))
        assert (sum(won), stored.read(path)) == (1, contents[won.index(True)])


@pytest.mark.parametrize("kind", ["500", "503", "late 500", "lost", "cut"])
def test_a_commit_whose_answer_is_lost_counts_once(
    kind: str, place: str, faulty: Proxy, store_lake: str
) -> None:
    through = str(place_of(store_lake) / "d")
    for number in range(1, 4):
        faulty.faults = [Fault("PUT", r"_delta_log/\d+\.json", kind)]
        assert add(through, number) == number
    assert faulty.done == [kind] * 3
    assert rows_at(place) == Counter({("a", number): 1 for number in range(1, 4)})
    assert not left_over(place).orphans


def test_a_commit_whose_answers_are_all_lost_is_no_failure_of_its_files(
    place: str, faulty: Proxy, store_lake: str
) -> None:
    through = str(place_of(store_lake) / "d")
    faulty.faults = [
        Fault("PUT", r"_delta_log/\d+\.json", "lost", 1),
        Fault("PUT", r"_delta_log/\d+\.json", "500", 100),
    ]
    with pytest.raises(Unanswered, match="did not confirm a commit: it answered 500"):
        add(through, 1)
    faulty.faults = []
    assert add(through, 1) is None
    assert rows_at(place) == Counter({("a", 1): 1})


def test_a_lost_answer_to_anothers_commit_is_not_taken_for_ours(
    place: str, faulty: Proxy, store_lake: str
) -> None:
    through = str(place_of(store_lake) / "d")
    stale = table_at(through)
    add(place, 1)
    faulty.faults = [Fault("PUT", r"_delta_log/\d+\.json", "lost", 1)]
    path = Path(through) / "_delta_log" / f"{1:020}.json"
    assert not stored.put_if_absent(path, b"{}\n")
    assert add(through, 2, stale) == 2


@pytest.mark.parametrize("kind", ["500", "lost", "cut"])
def test_a_file_whose_answer_is_lost_is_written_again(
    kind: str, place: str, faulty: Proxy, store_lake: str
) -> None:
    faulty.faults = [Fault("PUT", r"\.parquet", kind)]
    add(str(place_of(store_lake) / "d"), 1)
    assert rows_at(place) == Counter({("a", 1): 1})
    assert faulty.done == [kind]


def test_reads_survive_refusals(place: str, faulty: Proxy, store_lake: str) -> None:
    for number in range(1, 5):
        add(place, number)
    faulty.faults = [Fault("GET", "", "503", 1), Fault("GET", "", "cut", 2)]
    assert rows_at(str(place_of(store_lake) / "d"))[("a", 4)] == 1
    assert len(faulty.done) == 3


def test_a_stale_handle_sees_later_marks(place: str) -> None:
    stale = table_at(place)
    for number in range(1, 4):
        add(place, number)
    assert add(place, 3, stale) is None
    assert (stale.version, stale.mark("a")) == (3, 3)


def test_a_checkpoint_and_a_vacuum_keep_what_the_table_has(place: str) -> None:
    for number in range(1, 13):
        add(place, number)
    gone = table_at(place).files()[:4]
    commit(place, lambda table: Change("DELETE", removes=gone))
    assert checkpoint(place, keep=0) == 13
    assert versions(place) == [13]
    before = rows_at(place)
    assert (len(before), vacuum(place, 3600)) == (8, 0)
    stored.remove([Path(place) / "_delta_log" / "_last_checkpoint"])
    assert rows_at(place) == before
    assert add(place, 13) == 14


def test_an_older_version_is_read_behind_a_checkpoint(place: str) -> None:
    for number in range(1, 13):
        add(place, number)
    assert checkpoint(place, keep=3600) == 12
    assert len(open_at(place, "5").files()) == 5
    with pytest.raises(Failure, match="has no version 20: it has versions 0 to 12"):
        open_at(place, "20")


def test_a_table_that_is_made_again_is_seen_as_the_new_one(place: str) -> None:
    for number in range(1, 4):
        add(place, number)
    stale = table_at(place)
    stored.remove(Path(place) / "_delta_log" / f"{version:020}.json" for version in range(4))
    create_table(place, SCHEMA, [], {})
    stale.refresh()
    assert (stale.version, table_at(place).files()) == (0, [])


@pytest.mark.parametrize("folder", ["a b", "é", "a%20b", "x+y", "~!$'()*,;="])
def test_odd_names_of_folders_are_kept(folder: str, store_lake: str) -> None:
    place = str(place_of(f"{store_lake}/{folder}") / "d")
    create_table(place, SCHEMA, [], {})
    add(place, 1)
    assert rows_at(place) == Counter({("a", 1): 1})


@pytest.mark.skipif(program("versitygw") is None, reason="versitygw is not built")
def test_a_server_without_conditional_puts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server("unconditional", tmp_path) as address:
        for name, value in environment(address).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(Mistake, match="lets several writers put one key"):
            stored.probe(str(place_of(f"s3://{BUCKET}/x") / "d"))


def test_a_store_without_conditional_puts_is_refused(
    faulty: Proxy, store_lake: str, request: pytest.FixtureRequest
) -> None:
    if "moto" not in request.node.name:
        pytest.skip("its signature covers the condition")
    faulty.faults = [Fault("PUT", r"\.probe\.", "ignored", 100)]
    place = str(place_of(store_lake) / "d")
    with pytest.raises(Mistake, match="lets several writers put one key"):
        stored.probe(place)
    faulty.faults = []
    stored.probe(place)
    assert not list(stored.data_files(Path(place)))


def test_a_missing_bucket_is_named(store_lake: str, request: pytest.FixtureRequest) -> None:
    if "weed" in request.node.name:
        pytest.skip("it makes the bucket")
    with pytest.raises(Mistake, match=r"has no bucket 'no-such-bucket'"):
        stored.probe(str(place_of("s3://no-such-bucket/x") / "d"))


def test_refused_credentials_are_a_sentence_without_the_secret(
    faulty: Proxy, store_lake: str
) -> None:
    faulty.faults = [Fault("PUT", "", "403", 100), Fault("POST", "", "403", 100)]
    with pytest.raises(Mistake) as found:
        stored.probe(str(place_of(store_lake) / "d"))
    assert "refuses the credentials for s3://" in found.value.sentence
    assert "(SignatureDoesNotMatch)" in found.value.sentence
    assert SECRET not in "".join(traceback.format_exception(found.value))


def test_a_foreign_reader_reads_the_table(place: str, store_server: str, store_lake: str) -> None:
    import deltalake

    add(place, 1)
    options = {**environment(store_server), "AWS_ALLOW_HTTP": "true"}
    table = deltalake.DeltaTable(f"{store_lake}/d", storage_options=options)
    assert pa.table(table.to_pyarrow_table()).to_pylist() == [{"name": "a", "number": 1}]
