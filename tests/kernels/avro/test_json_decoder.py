import json

from tocsin.kernels.avro.json_decoder import JsonDecoder
from tocsin.kernels.avro.types import leaves, parse_schema

SCHEMA = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "v", "type": ["null", "double"]},
        {"name": "q", "type": "int", "default": 0},
    ],
}


def decoder() -> JsonDecoder:
    return JsonDecoder(leaves(parse_schema(SCHEMA)))


def test_the_fast_and_the_plain_path_agree() -> None:
    texts = [{"id": f"s{n}", "at": "2026-03-02T10:00:00Z", "v": n / 2, "q": n} for n in range(20)]
    fast = decoder().decode([json.dumps(t).encode() for t in texts])
    plain = decoder().decode([json.dumps(t, indent=1).encode() for t in texts])
    assert fast.batch.equals(plain.batch)
    assert fast.batch.column("q").to_pylist() == list(range(20))


def test_milliseconds_defaults_nulls_and_unknown_members() -> None:
    decoded = decoder().decode([b'{"id": "a", "at": 1772445600000, "v": null, "new": [1]}'])
    row = decoded.batch.to_pylist()[0]
    assert (row["id"], row["at"].isoformat(), row["v"], row["q"]) == (
        "a",
        "2026-03-02T10:00:00+00:00",
        None,
        0,
    )


def test_each_reading_of_an_array_is_a_row() -> None:
    decoded = decoder().decode(
        [b'[{"id":"a","at":0,"v":1},{"id":"b","at":0,"v":2}]', b'{"id":"c","at":0,"v":3}']
    )
    assert decoded.batch.column("id").to_pylist() == ["a", "b", "c"]
    assert decoded.rows.tolist() == [0, 0, 1]


def test_an_unreadable_message_becomes_a_fault_with_a_reason() -> None:
    bad = [
        b"{",
        b'{"id": 1, "at": 0, "v": 1}',
        b'{"at": 0}',
        b"7",
        b'{"id":"a","at":"yesterday","v":1}',
        b'{"id":"a","at":"2026-01-01T00:00:00","v":1}',
    ]
    decoded = decoder().decode([*bad, b'{"id":"ok","at":0,"v":1}'])
    assert decoded.batch.column("id").to_pylist() == ["ok"]
    assert [at for at, _ in decoded.faults] == list(range(len(bad)))
    assert "has no time zone" in decoded.faults[-1][1]
