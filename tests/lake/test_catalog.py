"""The catalog: what datasets are there, from logs and footers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.table_files import put, readings
from tocsin.lake.catalog import catalog
from tocsin.lake.datasets import table_of


def test_the_catalog_has_columns_counts_times_and_sources(lake: Path) -> None:
    locks, others = catalog(lake)
    assert (locks["dataset"], locks["rows"], locks["files"]) == ("locks", 72, 12)
    assert (locks["from"], locks["to"]) == (
        "2026-03-02T00:00:00+00:00",
        "2026-03-04T19:00:00+00:00",
    )
    assert (locks["topics"], locks["keys"], locks["owner"]) == (["city.locks"], [], None)
    assert locks["columns"]["lock_id"] == "string"
    assert locks["version"] == table_of(lake / "locks").version
    assert (locks["retention_seconds"], others["retention_seconds"]) == (2 * 86_400, None)
    files = [lake / "others" / file.path for file in table_of(lake / "others").files()]
    assert others["bytes"] == sum(file.stat().st_size for file in files)


def test_files_of_other_programs_have_no_times(tmp_path: Path, tocsin: Any) -> None:
    put(tmp_path / "d", readings(0), unit=None, until=None, offsets=None)
    (only,) = catalog(tmp_path)
    assert (only["from"], only["to"], only["topics"]) == (None, None, [])
    code, out, _ = tocsin("lake", tmp_path, "contents", "--json")
    assert (code, json.loads(out)) == (0, [only])
