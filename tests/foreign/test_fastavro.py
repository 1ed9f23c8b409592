"""The files of fastavro's own tests: every record as fastavro reads it, or a sentence.

`make foreign` fetches them.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pytest

from tests.foreign.fetch import FOLDER
from tests.support.damage import damaged
from tocsin.kernels.avro.avro_file import raw_avro_file
from tocsin.kernels.avro.types import leaves, parse_schema

FILES = sorted(FOLDER.glob("*/tests/avro-files/*.avro"))
SCHEMAS = sorted(FOLDER.glob("*/tests/**/*.avsc"))
IS_FETCHED = pytest.mark.skipif(not FILES, reason="`make foreign` fetches fastavro's files")


def as_columns(value: Any, columns: set[str], prefix: str = "") -> Any:
    """A record as Tocsin reads it: nested records as columns `outer_inner`, a UUID as text."""
    found = {}
    for name, inner in value.items():
        path = f"{prefix}{name}"
        if isinstance(inner, dict) and path not in columns:
            found.update(as_columns(inner, columns, f"{path}_"))
        else:
            found[path] = str(inner) if isinstance(inner, UUID) else inner
    return found


def refusal(schema: str) -> str | None:
    """Why the text of a schema has no columns, or None."""
    try:
        leaves(parse_schema(schema))
    except ValueError as error:
        return str(error)
    return None


def is_plain_record(schema: Any) -> bool:
    """Whether a schema is a record with fields that does not contain itself."""
    if not isinstance(schema, dict) or schema["type"] != "record" or not schema["fields"]:
        return False
    text = json.dumps([field["type"] for field in schema["fields"]])
    return f'"{schema["name"]}"' not in text


@IS_FETCHED
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_record_is_that_of_fastavro(file: Path) -> None:
    with file.open("rb") as stream:
        reader = fastavro.reader(stream)
        schema, expected = reader.writer_schema, list(reader)
    why = refusal(json.dumps(schema))
    assert (why is None) == is_plain_record(schema), why
    if why is not None:
        return
    pieces = list(raw_avro_file(str(file), json.dumps(schema), 100))
    assert not [fault for piece in pieces for fault in piece.decoded.faults]
    found = [row for piece in pieces for row in piece.decoded.batch.to_pylist()]
    assert found == [as_columns(row, set(found[0])) for row in expected]


@IS_FETCHED
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_damaged_file_gives_rows_or_faults(file: Path, tmp_path: Path) -> None:
    """Any byte may be another, and the file may end anywhere."""
    with file.open("rb") as stream:
        schema = fastavro.reader(stream).writer_schema
    if refusal(json.dumps(schema)):
        schema = {"type": "record", "name": "R", "fields": [{"name": "x", "type": "long"}]}
    draw, content = random.Random(file.name), file.read_bytes()
    broken = tmp_path / "broken.avro"
    for _ in range(40):
        broken.write_bytes(damaged(content, draw))
        for piece in raw_avro_file(str(broken), json.dumps(schema), 50):
            assert len(piece.decoded.rows) + len(piece.decoded.faults) == piece.count


@IS_FETCHED
@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_schema_has_columns_or_a_sentence(file: Path) -> None:
    why = refusal(file.read_text("utf-8"))
    assert why is None or (why.strip() and "\n" not in why)
