"""Several inputs as one: which columns, traits and places a row keeps."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tocsin.kernels.batch import (
    OFFSET,
    PARTITION,
    SYSTEM_COLUMNS,
    SYSTEM_FIELDS,
    readings_schema,
    traits,
    with_traits,
)
from tocsin.steps.state.union import (
    SIDE,
    measured_of_sides,
    rows_of_side,
    schema_of_side,
    side_column,
    united,
    united_schema,
)


def schema(names: str, topic: str = "t", **more: Any) -> pa.Schema:
    fields = [pa.field(name, pa.float64()) for name in names]
    lateness = more.pop("allowed_lateness", 0)
    plain = readings_schema(fields, topic=topic, allowed_lateness=lateness)
    return with_traits(plain, **more)


def batch(of: pa.Schema, *rows: float) -> pa.RecordBatch:
    columns = []
    for at, field in enumerate(of):
        values = [int(row) + at for row in rows] if field.name in SYSTEM_COLUMNS else rows
        columns.append(pa.array(values, pa.int64() if values is not rows else None))
    made = [
        column.cast(field.type) if field.name in SYSTEM_COLUMNS else column
        for column, field in zip(columns, of, strict=True)
    ]
    return pa.RecordBatch.from_arrays(made, schema=of)


def test_inputs_of_one_list_share_their_columns() -> None:
    found = united_schema(
        [
            ("", schema("ab", allowed_lateness=5, stage=1, keys=("a",), inputs=2)),
            ("", schema("ab", allowed_lateness=3, stage=4, keys=("a",), inputs=3)),
        ]
    )
    assert found.names == ["a", "b", *SYSTEM_COLUMNS]
    known = traits(found)
    assert (known.topic, known.allowed_lateness, known.stage) == ("t", 5, 4)
    assert (known.keys, known.inputs, known.aggregated) == (("a",), 5, False)


def test_inputs_of_two_topics_or_keys_have_none_in_common() -> None:
    inputs = [("", schema("a", "t", keys=("a",))), ("", schema("a", "u", keys=()))]
    known = traits(united_schema(inputs))
    assert (known.topic, known.keys) == ("", ())


@pytest.mark.parametrize(("one", "other", "both"), [(1, 1, True), (1, 0, False), (0, 0, False)])
def test_results_united_with_readings_are_no_results(one: int, other: int, both: bool) -> None:
    inputs = [("", schema("a", aggregated=bool(flag))) for flag in (one, other)]
    assert traits(united_schema(inputs)).aggregated is both
    sided = [("l", inputs[0][1]), ("r", inputs[1][1])]
    assert traits(united_schema(sided)).aggregated is False


@pytest.mark.parametrize(
    ("other", "differ"), [("abc", "c"), ("a", "b"), ("ba", "their order"), ("xy", "a, b, x, y")]
)
def test_inputs_of_one_list_must_have_the_same_columns(other: str, differ: str) -> None:
    with pytest.raises(ValueError, match=f"these differ in {differ}$"):
        united_schema([("", schema("ab")), ("", schema(other))])


def test_named_inputs_have_columns_of_their_own() -> None:
    left = schema("ab", keys=("a",), units={"b": "m"})
    right = schema("a", keys=("a",), units={"a": "s"})
    found = united_schema([("l", left), ("r", right), ("l", left)])
    assert found.names == ["l.a", "l.b", "r.a", SIDE, *SYSTEM_COLUMNS]
    assert traits(found).keys == ("l.a", "r.a")
    assert traits(found).units == {"l.b": "m", "r.a": "s"}
    assert schema_of_side(found, "l").names == ["a", "b"]
    assert schema_of_side(found, "r").names == ["a"]
    measured = measured_of_sides(found, {"l": ["b"], "r": ["a"]})
    assert measured == {"units": {"b": "m", "a": "s"}, "periods": {}, "descriptions": {}}
    assert measured_of_sides(found, {"l": ["a"]})["units"] == {}
    assert side_column("l", "a") == "l.a"


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (({"a": "m"}, {"a": "m"}), {"a": "m"}),
        # A unit that only one input knows is not that of all rows.
        (({"a": "m"}, {}), {}),
        (({}, {"a": "m"}), {}),
        (({}, {}), {}),
    ],
)
def test_a_unit_holds_where_all_inputs_agree(
    units: tuple[dict[str, str], ...], expected: dict[str, str]
) -> None:
    found = united_schema([("", schema("a", units=one)) for one in units])
    assert traits(found).units == expected


def test_two_units_of_one_column_are_refused_and_two_descriptions_dropped() -> None:
    with pytest.raises(ValueError, match=r"'a' is in km and in m$"):
        united_schema([("", schema("a", units={"a": unit})) for unit in ("m", "km")])
    found = united_schema([("", schema("a", descriptions={"a": text})) for text in "xy"])
    assert traits(found).descriptions == {}


@pytest.mark.parametrize("topics", [("t", "t"), ("t", "u")])
def test_a_row_keeps_its_place_if_all_are_of_one_topic(topics: tuple[str, str]) -> None:
    inputs = [("", schema("a", topic)) for topic in topics]
    rows = batch(inputs[0][1], 1.0, 2.0)
    found = united(rows, "", united_schema(inputs))
    assert found.column("a").to_pylist() == [1.0, 2.0]
    for name in SYSTEM_COLUMNS:
        lost = name in (PARTITION, OFFSET) and topics[0] != topics[1]
        expected = [None, None] if lost else rows.column(name).to_pylist()
        assert found.column(name).to_pylist() == expected


def test_the_rows_of_a_side_come_back_as_they_were() -> None:
    left, right = schema("ab"), schema("a")
    whole = united_schema([("l", left), ("r", right)])
    rows = [united(batch(left, 1.0, 2.0), "l", whole), united(batch(right, 3.0), "r", whole)]
    both = pa.concat_batches(rows)
    assert both.column(SIDE).to_pylist() == ["l", "l", "r"]
    assert both.column("l.b").to_pylist() == [1.0, 2.0, None]
    assert both.column("r.a").to_pylist() == [None, None, 3.0]
    for side, of, values in (("l", left, (1.0, 2.0)), ("r", right, (3.0,))):
        assert rows_of_side(both, side).to_pydict() == batch(of, *values).to_pydict()
    assert [field.name for field in SYSTEM_FIELDS] == list(SYSTEM_COLUMNS)
