"""Event times of Avro and JSON messages are read in every form."""

from __future__ import annotations

import io
import json
from typing import Any, Literal

import fastavro
import numpy as np
import pyarrow as pa
import pytest

from tests.kernels.avro.fuzz import MILLIS, record
from tocsin.kafka.decoding import MessageDecoder, Messages
from tocsin.kernels.avro.types import arrow_fields, parse_schema
from tocsin.kernels.time.event_times import event_micros
from tocsin.parts.source import Split

SECOND = 1772445600
ISO = "2026-03-02T12:00:00+02:00"
FORMS: list[tuple[Any, Any, str | None]] = [
    ("long", SECOND, "seconds"),
    ("int", SECOND, "seconds"),
    ("double", float(SECOND), "seconds"),
    ("long", SECOND * 10**3, "milliseconds"),
    ("long", SECOND * 10**6, "microseconds"),
    ("long", SECOND * 10**9, "nanoseconds"),
    ("string", str(SECOND * 10**3), "milliseconds"),
    ("string", ISO, None),
    (["null", "string"], ISO, "seconds"),
    (MILLIS, SECOND * 10**3, None),
]


@pytest.mark.parametrize("form", ["avro", "json"])
@pytest.mark.parametrize(("kind", "value", "unit"), FORMS)
def test_an_event_time_is_its_instant(
    form: Literal["avro", "json"], kind: Any, value: Any, unit: str | None
) -> None:
    schema = record("R", ("at", kind))
    message = json.dumps({"at": value}).encode()
    if form == "avro":
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), {"at": value})
        message = out.getvalue()
    text = json.dumps(schema)
    fields = pa.schema(arrow_fields(parse_schema(text)))
    decoder = MessageDecoder("t", text, form, {1: text}, None, None, fields)
    messages = Messages(
        pa.array([None], pa.large_binary()),
        pa.array([message], pa.large_binary()),
        np.array([0]),
        np.array([0]),
    )
    found = decoder.decode(messages, Split("t", 0, 0, 1), 1)
    assert found.rejected == []
    assert event_micros(found.batch.column("at"), unit).tolist() == [SECOND * 10**6]
