"""`tocsin lake s3://…`: every word on a lake of an object store, and its refusals."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.lakes import HOUR, ROWS, START, batch_of
from tests.support.object_stores import KEY, SECRET, Fault, Proxy
from tests.transforms.test_lake_in_store import sink
from tocsin.cli.main import main
from tocsin.table import stored
from tocsin.table.mirrors import mirrors
from tocsin.table.places import place_of

HOURS = 6


@pytest.fixture
def lake(store_lake: str) -> str:
    """Six hourly files of locks."""
    one = sink(store_lake, retention="2 d", geometry=["lat", "lng"])
    for hour in range(HOURS):
        one.write(batch_of(hour), f"{START + hour * HOUR}.s000.r0")
        one.flush()
    return store_lake


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["lake", *words])
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err
    assert "tocsin-lake-" not in shown.out + shown.err
    assert "Traceback" not in shown.err
    return int(ended.value.code or 0), shown.out, shown.err


def found(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code, out, err = run(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_lake_is_listed_queried_and_audited(
    lake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(capsys, lake)[0]["rows"] == HOURS * ROWS
    query = "select count(*) as n, count(distinct _offset) as d from locks"
    assert found(capsys, lake, query) == [{"n": HOURS * ROWS, "d": HOURS * ROWS}]
    assert found(capsys, lake, query, "--at", "2") == [{"n": 2 * ROWS, "d": 2 * ROWS}]
    assert found(capsys, lake, "check")["problems"] == []
    assert found(capsys, lake, "contents")[0]["version"] == HOURS


def test_care_changes_files_and_keeps_rows(
    lake: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (done,) = found(capsys, lake, "maintain", "--older-than", "0 s")
    assert (done["before"], done["after"]) == (HOURS, 1)
    assert found(capsys, lake, "check")["problems"] == []
    to = tmp_path / "locks.parquet"
    (done,) = found(capsys, lake, "export", "--dataset", "locks", "--to", str(to))
    assert (done["rows"], done["geometry"]) == (HOURS * ROWS, True)
    assert parquet.read_metadata(to).num_rows == HOURS * ROWS
    (done,) = found(capsys, lake, "retain")
    assert done["rows"] == HOURS * ROWS


def test_an_erasure_leaves_the_value_in_no_key(
    lake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (done,) = found(capsys, lake, "erase", "--where", "lock_id=l-1")
    assert done["rows"] == HOURS * 2
    root = place_of(lake)
    (mirror,) = [one for one in mirrors() if one.root == root]
    for entry in mirror.bucket.entries("locks"):
        content = mirror.bucket.get(entry.key)
        assert b'"l-1"' not in content
        if entry.key.endswith(".parquet"):
            path = root / entry.key
            stored.fetch([path])
            rows = parquet.read_table(path, partitioning=None)
            assert "l-1" not in rows.column("lock_id").to_pylist()
    query = "select distinct lock_id from locks order by 1"
    assert [row["lock_id"] for row in found(capsys, lake, query)] == ["l-0", "l-2"]


def test_a_missing_file_is_named_and_the_rest_is_readable(
    lake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (mirror,) = [one for one in mirrors() if one.root == place_of(lake)]
    gone = next(e.key for e in mirror.bucket.entries("locks/data"))
    mirror.bucket.delete([gone])
    (mirror.root / gone).unlink(missing_ok=True)
    code, _, err = run(capsys, lake, "select count(*) from locks")
    assert code == 1
    assert f"{lake}/{gone}: cannot be read" in err
    code, out, _ = run(capsys, lake, "check")
    assert code == 1
    assert f"{lake}/{gone}: cannot be read" in out
    code, out, err = run(capsys, lake, "select count(*) from locks", "--skip-unreadable")
    assert (code, str((HOURS - 1) * ROWS) in out) == (0, True)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("s3://city-lake/nothing-here", "no lake at s3://city-lake/nothing-here"),
        ("s3://no-such-bucket/x", "has no bucket 'no-such-bucket'"),
        ("s3://", "names no bucket"),
    ],
)
@pytest.mark.usefixtures("store_lake")
def test_what_is_not_there_is_a_mistake(
    address: str,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    if "weed" in request.node.name and "no-such-bucket" in address:
        pytest.skip("it makes the bucket")
    code, _, err = run(capsys, address)
    assert (code, sentence in err) == (2, True), err


def test_wrong_credentials_are_a_mistake(
    lake: str, faulty: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    faulty.faults = [Fault("GET", "", "403", 100)]
    code, _, err = run(capsys, lake)
    assert (code, "refuses the credentials for" in err, KEY in err) == (2, True, False)


def test_a_store_that_does_not_answer_is_a_failure(
    lake: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    code, _, err = run(capsys, lake)
    assert (code, "127.0.0.1:1 failed: it cannot be reached" in err) == (1, True), err


def test_a_job_that_is_not_trusted_writes_the_store_that_the_operator_allows(
    store_lake: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = batch_of(0)
    rows = batch.select(["lock_id", "value"]).append_column("at", batch.column("_event_time"))
    parquet.write_table(pa.Table.from_batches([rows]), tmp_path / "r.parquet")
    keys = "access_key_id: env:AWS_ACCESS_KEY_ID, secret_access_key: env:AWS_SECRET_ACCESS_KEY"
    job = tmp_path / "job.yaml"
    job.write_text(
        "pipeline:\n  type: chain\n  transforms:\n"
        f"    - {{type: ReadFiles, config: {{files: '{tmp_path}/r.parquet', event_time: at}}}}\n"
        f"    - {{type: WriteToLake, config: {{lake: '{store_lake}', dataset: locks, "
        f"store: {{endpoint: '{os.environ['AWS_ENDPOINT_URL']}', {keys}}}}}}}\n"
    )

    def words(*given: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main([*given])
        shown = capsys.readouterr()
        assert SECRET not in shown.out + shown.err
        return int(ended.value.code or 0), shown.err

    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))
    secrets = ("env:AWS_ACCESS_KEY_ID@127.0.0.1", "env:AWS_SECRET_ACCESS_KEY@127.0.0.1")
    for variable, value, refused in (
        ("TOCSIN_ALLOW_HOSTS", "127.0.0.1", "the host '127.0.0.1' is not allowed here"),
        ("TOCSIN_SECRETS", ";".join(secrets), "may not refer to the secret env:AWS_ACCESS_KEY_ID"),
        ("TOCSIN_ALLOW_FOLDERS", f"{tmp_path}:{store_lake}", "in no store that the operator"),
    ):
        code, err = words("check", str(job))
        assert (code, refused in err) == (2, True), err
        monkeypatch.setenv(variable, value)
    assert words("plan", str(job))[0] == 0
    for _ in range(2):
        assert words("run", str(job))[0] == 0
        assert found(capsys, store_lake, "select count(*) as n from locks") == [{"n": ROWS}]
