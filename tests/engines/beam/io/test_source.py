"""The Kafka source: schemas, schema evolution, start positions, JSON, replays and idleness."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from tocsin.transforms.read.read_telemetry import ReadTelemetry

from tocsin.engines.beam.io.restrictions import (
    OffsetRestriction,
    OffsetRestrictionTracker,
    SplitOf,
)
from tocsin.engines.beam.io.source_dofn import LEAST_PIECE, ReadSplit
from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import BEGINNING
from tocsin.kernels.time.partition_clock import PartitionClock
from tocsin.parts.source import Split

NOW = 1_772_445_600_000


def record(*fields: tuple[Any, ...]) -> dict[str, Any]:
    described = [
        {"name": name, "type": kind, **({"default": default[0]} if default else {})}
        for name, kind, *default in fields
    ]
    return {"type": "record", "name": "R", "fields": described}


TIME = {"type": "long", "logicalType": "timestamp-millis"}
V1 = record(("id", "string"), ("at", TIME), ("v", "float"))
V2 = record(
    ("v", ["null", "double"], None), ("at", TIME), ("id", "string"), ("unit", "string", "ug")
)


def encode(schema: dict[str, Any], row: dict[str, Any], key: int) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(json.dumps(schema))), row)
    return b"\x00" + key.to_bytes(4, "big") + stream.getvalue()


def rows_of(source: ReadTelemetry) -> list[dict[str, Any]]:
    found = []
    for split in source.splits(live=False):
        for fetched in source.read(split, split.start):
            if fetched is not None:
                for row, offset in zip(fetched.batch.to_pylist(), fetched.offsets, strict=True):
                    found.append({**row, "offset": int(offset), "partition": split.partition})
    return found


def source(tmp_path: Path, schema: dict[str, Any] = V2, **config: Any) -> ReadTelemetry:
    (tmp_path / "reader.avsc").write_text(json.dumps(schema))
    config = {"topic": "t", "schema": "reader.avsc", "event_time": "at", **config}
    return ReadTelemetry.model_validate(config, context={"folders": [str(tmp_path)]})


class _Registry(BaseHTTPRequestHandler):
    """The part of a Confluent-compatible registry that reading needs."""

    schemas = {1: (7, V1), 2: (9, V2)}

    def do_GET(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["subjects", "t-value"] and parts[2:] == ["versions"]:
            self._answer(200, list(self.schemas))
        elif parts[:3] == ["subjects", "t-value", "versions"]:
            number, schema = self.schemas[int(parts[3])]
            self._answer(
                200,
                {
                    "subject": "t-value",
                    "version": int(parts[3]),
                    "id": number,
                    "schema": json.dumps(schema),
                },
            )
        else:
            self._answer(404, {"error_code": 40401, "message": "Subject not found."})

    def _answer(self, code: int, body: Any) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def registry() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_readings_with_several_registry_schemas_resolve_to_the_newest(
    kafka: Any, send: Any, registry: str, tmp_path: Path
) -> None:
    old = {"id": "a", "at": NOW, "v": 0.5}
    new = {"id": "b", "at": NOW, "v": None, "unit": "mg"}
    send(
        "t",
        [
            (encode(V1, old, 7), None, NOW, 0),
            (encode(V2, new, 9), None, NOW, 0),
            (encode(V1, old, 8), None, NOW, 0),
        ],
    )
    made = source(tmp_path, registry={"url": registry})
    rows = rows_of(made)
    assert [(r["id"], r["v"], r["unit"], r["offset"]) for r in rows] == [
        ("a", 0.5, "ug", 0),
        ("b", None, "mg", 1),
    ]


def test_a_registered_schema_with_references_is_read(
    kafka: Any, send: Any, registry: str, tmp_path: Path, monkeypatch: Any
) -> None:
    def version(subject: str, number: int, schema: Any, *refers: str) -> dict[str, Any]:
        references = [{"name": name, "subject": name, "version": 1} for name in refers]
        answer = {"subject": subject, "version": 1, "id": number, "schema": json.dumps(schema)}
        return {**answer, "references": references}

    value = {"name": "v", "type": ["null", "c.Value"]}
    outer = {**V1, "fields": [*(f for f in V1["fields"] if f["name"] != "v"), value]}
    inner = {"type": "record", "name": "Value", "namespace": "c", "fields": [
        {"name": "level", "type": "Level"}]}  # fmt: skip
    level = {"type": "enum", "name": "Level", "namespace": "c", "symbols": ["low", "high"]}
    answers = {
        "subjects/t-value/versions": [1],
        "subjects/t-value/versions/1": version("t-value", 7, outer, "c.Value"),
        "subjects/c.Value/versions/1": version("c.Value", 8, inner, "c.Level"),
        "subjects/c.Level/versions/1": version("c.Level", 9, level),
    }

    def answer(handler: Any) -> None:
        handler._answer(200, answers[handler.path.split("?")[0].strip("/")])

    monkeypatch.setattr(_Registry, "do_GET", answer)
    whole = {**inner, "fields": [{"name": "level", "type": level}]}
    schema = {**outer, "fields": [*outer["fields"][:-1], {**value, "type": ["null", whole]}]}
    send("t", [(encode(schema, {"id": "a", "at": NOW, "v": {"level": "high"}}, 7), None, NOW, 0)])
    rows = rows_of(source(tmp_path, schema, registry={"url": registry}))
    assert [(row["id"], row["v_level"]) for row in rows] == [("a", "high")]


def test_a_schema_id_of_another_subject_is_rejected(
    kafka: Any, send: Any, registry: str, tmp_path: Path
) -> None:
    send("t", [(encode(V1, {"id": "a", "at": NOW, "v": 1.0}, 8), None, NOW, 0)])
    made = source(tmp_path, registry={"url": registry})
    (split, *_) = made.splits(live=False)
    (fetched,) = [f for f in made.read(split, 0) if f is not None]
    assert fetched.rejected[0]["message"] == "unknown schema id:8 (known: id:7, id:9)"


def test_an_unreachable_registry_fails_the_job_instead_of_rejecting_rows(
    kafka: Any, send: Any, tmp_path: Path
) -> None:
    send("t", [(encode(V1, {"id": "a", "at": NOW, "v": 1.0}, 7), None, NOW, 0)])
    made = source(
        tmp_path, registry={"url": "http://127.0.0.1:1", "settings": {"max.retries": "0"}}
    )
    with pytest.raises(Failure, match=r"schema registry at http://127\.0\.0\.1:1"):
        rows_of(made)


def test_writer_schemas_by_id_work_without_a_registry(
    kafka: Any, send: Any, tmp_path: Path
) -> None:
    (tmp_path / "v1.avsc").write_text(json.dumps(V1))
    send("t", [(encode(V1, {"id": "a", "at": NOW, "v": 1.5}, 3), None, NOW, 0)])
    assert rows_of(source(tmp_path, writers={3: "v1.avsc"}))[0]["v"] == 1.5


def test_reading_starts_at_the_configured_position(kafka: Any, send: Any, tmp_path: Path) -> None:
    send(
        "t",
        [
            (encode(V1, {"id": str(n), "at": NOW + n, "v": 1.0}, 1), None, NOW + n, 0)
            for n in range(10)
        ],
    )
    assert len(rows_of(source(tmp_path, V1))) == 10
    assert rows_of(source(tmp_path, V1, start="latest")) == []
    assert [r["offset"] for r in rows_of(source(tmp_path, V1, offsets={0: 7}))] == [7, 8, 9]
    with pytest.raises(Failure, match=r"t:0: offset 11 is not in the topic, which has 0 to 10"):
        source(tmp_path, V1, offsets={0: 11}).splits(live=False)
    with pytest.raises(ValueError, match="a time without zone"):
        source(tmp_path, V1, start="2026-01-01T00:00:00")


def test_a_message_may_hold_many_readings(kafka: Any, send: Any, tmp_path: Path) -> None:
    edge = record(
        ("id", "string"),
        (
            "readings",
            {"type": "array", "items": {**record(("at", TIME), ("v", "double")), "name": "I"}},
        ),
    )
    message = encode(
        edge, {"id": "gate", "readings": [{"at": NOW, "v": 1.0}, {"at": NOW + 1000, "v": 2.0}]}, 1
    )
    send("t", [(message, None, NOW, 0)])
    rows = rows_of(source(tmp_path, edge, readings="readings"))
    assert [(r["id"], r["v"], r["offset"]) for r in rows] == [("gate", 1.0, 0), ("gate", 2.0, 0)]


def test_broken_json_readings_are_skipped(kafka: Any, send: Any, tmp_path: Path) -> None:
    send(
        "t",
        [
            (b'{"id": "a", "at": "2026-03-02T10:00:00Z", "v": 2}', None, NOW, 0),
            (b"{broken", None, NOW, 0),
        ],
    )
    assert [(r["id"], r["v"]) for r in rows_of(source(tmp_path, V1, format="json"))] == [("a", 2.0)]


def test_a_restored_split_gives_the_remaining_rows_with_the_same_watermarks(
    kafka: Any, send: Any, tmp_path: Path
) -> None:
    random = np.random.default_rng(4)
    times = NOW + random.integers(0, 60_000, 200)
    send(
        "t",
        [
            (encode(V1, {"id": "a", "at": int(t), "v": 1.0}, 1), None, NOW + 60_000, 0)
            for t in times
        ],
    )
    made = source(tmp_path, V1, out_of_orderness="5 s", batch_rows=17)
    (split, *_) = made.splits(live=False)
    whole = _read(made, split, OffsetRestriction(0, 200, BEGINNING))
    for cut in (1, 50, 123, 199):
        _, _, clock = PartitionClock().follow(times[:cut] * 1000, np.arange(cut), made.max_ahead)
        rest = OffsetRestriction(cut, 200, clock.time, clock)
        assert _read(made, split, rest) == whole[cut:]
    assert [at for at, (_, _, watermark) in enumerate(whole) if watermark is None] == [*range(8)]


def _read(made: ReadTelemetry, split: Any, restriction: OffsetRestriction) -> list[tuple[Any, ...]]:
    """The rows of the splittable DoFn from a restriction, as after a restored checkpoint."""

    class Watermark:
        def current_watermark(self) -> Any:
            return None

        def set_watermark(self, moment: Any) -> None: ...

    reader = ReadSplit(made, "read", live=False)
    reader.setup()
    tracker = OffsetRestrictionTracker(restriction)
    values = [
        v.value for v in reader.process(SplitOf(split, 1), MIN_TIMESTAMP, tracker, Watermark())
    ]
    assert tracker.check_done()
    return [
        (r["_offset"], r["_event_time"], r["_watermark"])
        for batch in values
        for r in batch.to_pylist()
    ]


def test_readings_behind_an_idle_partitions_watermark_are_late(
    kafka: Any, send: Any, tmp_path: Path
) -> None:
    """An idle partition's watermark advances with the clock, so windows may have closed."""
    from apache_beam.utils.timestamp import Timestamp

    send(
        "t",
        [
            (encode(V1, {"id": "a", "at": NOW + n * 1000, "v": 1.0}, 1), None, NOW + 10**6, 0)
            for n in (0, 50, 90)
        ],
    )
    made = source(tmp_path, V1, out_of_orderness="5 s")
    (split, *_) = made.splits(live=False)

    class Idle:
        def current_watermark(self) -> Any:
            return Timestamp(NOW / 1000 + 60)

        def set_watermark(self, moment: Any) -> None: ...

    reader = ReadSplit(made, "read", live=False)
    reader.setup()
    greatest = NOW * 1000
    (rows, _) = [
        v.value
        for v in reader.process(
            SplitOf(split, 1),
            MIN_TIMESTAMP,
            OffsetRestrictionTracker(OffsetRestriction(1, 3, greatest)),
            Idle(),
        )
    ]
    assert [int(r["_watermark"].timestamp() - NOW / 1000) for r in rows.to_pylist()] == [60, 60]
    assert [r["_event_time"] < r["_watermark"] for r in rows.to_pylist()] == [True, False]


def test_an_idle_partitions_watermark_advances_with_the_clock_after_idle_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = source(tmp_path, V1, out_of_orderness="5 s", idle_after="1 min")
    reader = ReadSplit(made, "read", live=True)
    reader.setup()
    watermarks: list[float] = []

    class Watermark:
        def current_watermark(self) -> Any:
            return None

        def set_watermark(self, moment: Any) -> None:
            watermarks.append(float(moment) - NOW / 1000)

    clock = [1000.0]
    monkeypatch.setattr("tocsin.engines.beam.io.source_dofn.time.monotonic", lambda: clock[0])
    for seconds in (0, 30, 61, 90):
        clock[0] = 1000.0 + seconds
        reader._advance_idle(Split("t", 0, 0, None), NOW * 1000, Watermark())
    assert watermarks == [56.0, 85.0]


def test_slow_downstream_steps_get_smaller_batches_and_fast_ones_larger(
    kafka: Any, send: Any, tmp_path: Path
) -> None:
    send(
        "t",
        [(encode(V1, {"id": "a", "at": NOW + n, "v": 1.0}, 1), None, NOW, 0) for n in range(5_000)],
    )
    made = source(tmp_path, V1)
    reader = ReadSplit(made, "read", live=True)
    reader.setup()
    (split, *_) = made.splits(live=True)
    sizes = []
    for seconds in (0.1, 2.0, 0.2, 0.5, 5.0, 1.0):
        reader._adapt_piece(seconds)
        fetched = next(batch for batch in made.read(split, split.start) if batch is not None)
        # A slow broker may give fewer readings at once.
        assert 0 < fetched.batch.num_rows <= made._piece
        sizes.append(made._piece)
    assert sizes == [2_000, 1_000, 2_000, 4_000, 800, 800]
    for _ in range(20):
        reader._adapt_piece(5.0)
    assert made._piece == LEAST_PIECE
