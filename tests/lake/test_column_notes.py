"""Units and descriptions of columns are in the files, also after compaction and erasure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyarrow import parquet

from tests.support.table_files import put, readings
from tocsin.compiler.checker import check_file
from tocsin.kernels.avro.types import descriptions, parse_schema
from tocsin.kernels.batch import traits
from tocsin.kernels.column_notes import notes_footer, notes_in_fields, with_notes
from tocsin.kernels.geo.geoparquet import with_points
from tocsin.lake.catalog import catalog
from tocsin.lake.compaction import compact
from tocsin.lake.datasets import files_of
from tocsin.lake.export import export
from tocsin.lake.retention import erase

NOTES = {
    "lock_id": {"description": "The lock's number, as “printed”"},
    "value": {"unit": "ug/m3", "description": "Mass of particles"},
    "lat": {"unit": "deg"},
}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two hours with notes on three columns and a geometry."""
    for hour in range(2):
        rows = with_points(readings(hour, lat=[48.1] * 6, lng=[-1.6] * 6), "lat", "lng")
        known = {key.removeprefix("tocsin."): text for key, text in notes_footer(NOTES).items()}
        put(tmp_path / "locks", with_notes(rows, NOTES), hour, **known)
    return tmp_path


def test_notes_survive_compaction_erasure_and_export(lake: Path) -> None:
    def compacted() -> None:
        assert compact(lake, 0)[0].after == 1

    for change in (lambda: None, compacted, lambda: erase(lake, "lock_id", "l-1")):
        change()
        for file in files_of(lake):
            assert notes_in_fields(parquet.read_schema(file)) == NOTES
            assert "geo" in str(parquet.read_schema(file).metadata)
        assert by_duckdb(lake) == NOTES
        assert catalog(lake)[0]["notes"] == NOTES
    export(lake, "locks", lake / "out.parquet")
    assert notes_in_fields(parquet.read_schema(lake / "out.parquet")) == NOTES


def by_duckdb(lake: Path) -> Any:
    """The footer of one file, as DuckDB reads it."""
    query = (
        "select decode(value) from parquet_kv_metadata("
        f"'{files_of(lake)[0]}') where decode(key) = 'tocsin.columns'"
    )
    ((found,),) = duckdb.sql(query).fetchall()
    return json.loads(found)


READING = {
    "type": "record",
    "name": "Message",
    "fields": [
        {"name": "gateway", "type": "string", "doc": "Where the  message\n came from"},
        {
            "name": "place",
            "type": {
                "type": "record",
                "name": "P",
                "fields": [
                    {"name": "lat", "type": "double", "doc": "Latitude", "unit": "deg"},
                ],
            },
        },
        {
            "name": "readings",
            "doc": " ",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "R",
                    "fields": [
                        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                        {
                            "name": "value",
                            "type": ["null", "double"],
                            "doc": "PM10",
                            "unit": "ug/m3",
                        },
                    ],
                },
            },
        },
    ],
}


def test_the_doc_of_each_field_describes_its_column() -> None:
    assert descriptions(parse_schema(READING)) == {
        "gateway": "Where the message came from",
        "place_lat": "Latitude",
        "value": "PM10",
    }


def test_windows_keep_the_notes_of_keys_and_describe_measures(tmp_path: Path) -> None:
    flat = {
        **READING,
        "fields": [*READING["fields"][:2], *READING["fields"][2]["type"]["items"]["fields"]],
    }  # type: ignore[index]
    (tmp_path / "r.avsc").write_text(json.dumps(flat))
    (tmp_path / "job.yaml").write_text(
        "pipeline:\n  type: chain\n  transforms:\n"
        "    - {type: ReadTelemetry, config: {topic: t, schema: r.avsc, event_time: at}}\n"
        "    - {type: Aggregate, config: {every: 1 h, by: [gateway], "
        "measures: {value: mean(value), n: count(value)}}}\n"
    )
    job, _ = check_file(str(tmp_path / "job.yaml"))
    read, windows = (traits(step.outputs["output"]) for step in job.steps)
    assert read.descriptions["value"] == "PM10"
    assert windows.descriptions == {
        "gateway": "Where the message came from",
        "value": "mean(value)",
        "n": "count(value)",
    }
    assert windows.units["value"] == "ug/m3"
