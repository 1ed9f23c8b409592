"""Folders of the lake: the part of each row, at the ends of time and for every kind of value."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from tests.support.lakes import START, partitioned
from tocsin.foundation.failure import Failure
from tocsin.foundation.faults import Fault
from tocsin.kernels.batch import readings_schema
from tocsin.parts.registry import find

HOUR = 3600


def sink(**config: Any) -> Any:
    return find("write", "write_to_lake")(**{"lake": "lake", "dataset": "d", **config})


@pytest.mark.parametrize(
    ("hour", "day"),
    [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (23, "1970-01-01"),
        (24, "1970-01-02"),
        (253_402_300_799 // HOUR, "9999-12-31"),
        # Later and earlier times are in the last and in the first folder.
        (253_402_300_800 // HOUR, "9999-12-31"),
        (10**9, "9999-12-31"),
        (-62_135_596_800 // HOUR, "0001-01-01"),
        (-(10**9), "0001-01-01"),
    ],
)
def test_every_hour_has_a_folder(hour: int, day: str) -> None:
    found = sink()._part("date", hour)
    assert found.partition("=")[2].rjust(10, "0") == day


@pytest.mark.parametrize("by", [["date"], ["place"], ["date", "place"], ["place", "hour"], []])
def test_folders_are_nested_in_the_order_of_the_parts(by: list[str]) -> None:
    names = ["a", "b", "a", None]
    batch = partitioned(pa.array(names), at=START)
    moment = datetime.fromtimestamp(START / 1e6, UTC)
    one = sink(partition_by=by)
    parts = {
        "date": [f"date={moment:%Y-%m-%d}"] * 4,
        "hour": [f"hour={moment:%H}"] * 4,
        "place": [one._part("place", name) for name in names],
    }
    expected = ["".join(f"/{parts[part][row]}" for part in by) for row in range(4)]
    assert one._folders(batch) == expected
    assert len(set(parts["place"])) == 3


@pytest.mark.parametrize(
    ("field", "least", "most"), [("shards", 1, 256), ("dataset", "d", "d" * 100)]
)
def test_a_setting_has_limits(field: str, least: Any, most: Any) -> None:
    for value in (least, most):
        assert getattr(sink(**{field: value}), field) == value
    beyond = (least - 1, most + 1) if field == "shards" else ("", most + "d")
    for value in beyond:
        with pytest.raises(ValidationError):
            sink(**{field: value})


SCHEMA = readings_schema([pa.field("x", pa.float64())], topic="t", allowed_lateness=0)


@pytest.mark.parametrize("span", ["1 s", "2 s", "1 h"])
def test_a_file_spans_whole_seconds(span: str) -> None:
    sink(span=span).check_schema(SCHEMA)


@pytest.mark.parametrize("span", ["999 ms", "1500 ms", "1001 ms"])
def test_a_file_spans_no_part_of_a_second(span: str) -> None:
    with pytest.raises(Fault, match="a file spans whole seconds, at least one"):
        sink(span=span).check_schema(SCHEMA)


@pytest.mark.parametrize("scheme", ["nowhere", "no-such-store"])
def test_a_lake_of_an_unknown_kind_is_a_failure(scheme: str) -> None:
    with pytest.raises(Failure, match=f"no file system for the lake {scheme}://x: "):
        sink(lake=f"{scheme}://x")._store()


@pytest.mark.parametrize(("given", "path"), [("", ""), ("/", ""), ("//", ""), ("/sub/", "/sub")])
def test_a_local_lake_has_no_slash_at_its_end(tmp_path: Path, given: str, path: str) -> None:
    _, found = sink(lake=f"{tmp_path}{given}")._store()
    assert found == f"{tmp_path}{path}"
    assert sink(lake="/")._store()[1] == "/"
