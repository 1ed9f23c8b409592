"""The catalog describes datasets by their footers; the command shows it and maintains a lake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.lakes import ROWS
from tocsin.lake.catalog import catalog


def test_the_catalog_lists_columns_sizes_times_and_sources(lake: Path) -> None:
    locks, others = catalog(lake)
    assert (locks["dataset"], locks["rows"], locks["files"]) == ("locks", 72 * ROWS, 72)
    assert locks["columns"] == {
        "lock_id": "string",
        "value": "double",
        "lat": "double",
        "lng": "double",
        "_event_time": "timestamp[us, tz=UTC]",
        "_partition": "int32",
        "_offset": "int64",
        "_index": "int32",
        "geometry": "binary",
    }
    assert (locks["from"], locks["to"]) == (
        "2026-03-02T00:00:00+00:00",
        "2026-03-05T00:00:00+00:00",
    )
    assert (locks["topics"], locks["retention_seconds"], locks["partitioned_by"]) == (
        ["city.locks"],
        172_800.0,
        ["date"],
    )
    assert (others["partitioned_by"], others["retention_seconds"]) == (["date", "lock_id"], None)


def test_the_command_shows_compacts_erases_and_retains(lake: Path, tocsin: Any) -> None:
    code, out, _ = tocsin("lake", lake, "contents")
    assert code == 0
    assert "lock_id, value" in out
    code, out, _ = tocsin("lake", lake, "compact", "--older-than", "1 d", "--json")
    assert (code, json.loads(out)[0]["after"]) == (0, 26)
    assert tocsin("lake", lake, "erase")[0] == 2
    code, out, _ = tocsin("lake", lake, "erase", "--where", "lock_id=l-2")
    assert code == 0
    assert "locks" in out
    code, _, error = tocsin("lake", lake, "erase", "--where", "plate=x")
    assert (code, "no dataset" in error) == (1, True)
    assert tocsin("lake", lake, "retain")[0] == 0
