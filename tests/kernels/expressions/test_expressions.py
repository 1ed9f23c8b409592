"""The expression language: examples, errors with positions, and a property test against Python."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.expressions import ExpressionError, columns_of, evaluate, parse, type_of

BATCH = pa.RecordBatch.from_pylist(
    [{"v": 1.5, "q": 1, "s": "a"}, {"v": None, "q": 0, "s": "b"}, {"v": -2.0, "q": -7, "s": None}]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v * 2 + 1", [4.0, None, -3.0]),
        ("-q % 3", [2, 0, 1]),
        ("q / 2", [0.5, 0.0, -3.5]),
        ("1 / q * 0 == 0", [True, False, True]),
        ("v is null", [False, True, False]),
        ("v is not null and v > 0", [True, False, False]),
        ("v > 0 or q == 0", [True, True, False]),
        ("not (s == 'a')", [False, True, None]),
        ("q in [0, 1]", [True, True, False]),
        ("s not in ('a', 'c')", [False, True, True]),
        ("coalesce(v, q)", [1.5, 0.0, -2.0]),
        ("if(v > 0, 'up', 'down')", ["up", "down", "down"]),
        ("least(v, q)", [1.0, None, -7.0]),
        ("concat(upper(s), '!')", ["A!", "B!", None]),
        ("'it''s'", ["it's"] * 3),
        ("abs(v) ", [1.5, None, 2.0]),
        ("round(cell_latitude(h3_cell(48.1, v, 7)) * 100)", [4811.0, None, 4810.0]),
        ("h3_cell(48.1, -1.67, 7)", ["87186318bffffff"] * 3),
        ("cell_longitude(s) is null", [True, True, True]),
        ("cell_latitude('nowhere')", [None, None, None]),
        ("number(s)", [None, None, None]),
        ("number(if(q == 1, '-1.5e3', s))", [-1500.0, None, None]),
        ("number('seven')", [None, None, None]),
    ],
)
def test_an_expression_has_the_expected_values(text: str, expected: list[Any]) -> None:
    assert evaluate(parse(text), BATCH).to_pylist() == expected


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("v +", "expected a value, found the end", 3),
        ("v ~ 2", "unexpected '~'", 2),
        ("vv > 1", "no column 'vv' in its input, did you mean 'v'? (columns: v, q, s)", 0),
        ("1 + roud(v)", "no function 'roud', did you mean 'round'?", 4),
        ("s > 1", "'>' compares text with number", 2),
        ("abs(s)", "'abs' takes a number, found a text", 0),
        ("cell_latitude(v)", "'cell_latitude' takes a text, found a number", 0),
        ("abs(v, v)", "'abs' takes 1 arguments, found 2", 0),
        ("(v", "expected ')', found the end", 2),
        ("v = 1", "unexpected '='; write == to compare", 2),
        ("v v", "unexpected 'v'", 2),
        ("q in v", "expected a list such as [0, 1] after 'in'", 5),
        ("__import__('os')", "no function '__import__'", 0),
        ("(" * 60 + "v" + ")" * 60, "nested deeper than 50", 50),
        ("v" + " + v" * 201, "more than 200 operations", 802),
        ("not " * 201 + "b", "more than 200 operations", 800),
        ("-" * 5000 + "v", "more than 200 operations", 200),
        ("v > 9223372036854775808", "beyond 64 bits; write a decimal point for a double", 4),
        ("v > " + "9" * 5000, "beyond 64 bits; write a decimal point for a double", 4),
        ("v > 1e999", "beyond the range of a double", 4),
        ("v" + " " * 100_000, "longer than 100,000 characters", 0),
    ],
)
def test_an_error_has_a_sentence_and_a_position(text: str, message: str, at: int) -> None:
    with pytest.raises(ExpressionError) as fault:
        type_of(parse(text), BATCH.schema)
    assert str(fault.value) == message
    assert fault.value.at == at


def test_columns_of_lists_the_columns_of_an_expression() -> None:
    assert [c.name for c in columns_of(parse("v + abs(q) * if(s == 'a', v, 1)"))] == [
        "v",
        "q",
        "s",
        "v",
    ]


numbers = st.integers(-50, 50).map(str)
trees = st.recursive(
    numbers | st.sampled_from(["a", "b"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        )
        | inner.map(lambda x: f"-{x}")
    ),
    max_leaves=8,
)


@given(trees, st.integers(-9, 9), st.integers(-9, 9))
def test_arithmetic_equals_pythons(text: str, a: int, b: int) -> None:
    batch = pa.RecordBatch.from_pylist([{"a": a, "b": b}])
    assert evaluate(parse(text), batch).to_pylist() == [eval(text, {"a": a, "b": b})]


WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=20))
def test_a_long_of_a_sensor_ends_no_expression(pairs: list[tuple[int, int]]) -> None:
    """Beyond 2**53, or zero: the nearest double, an exact remainder, or null."""
    batch = pa.RecordBatch.from_pydict(
        {"a": pa.array([a for a, _ in pairs]), "b": pa.array([b for _, b in pairs])}
    )
    rest = evaluate(parse("a % b"), batch).to_pylist()
    assert rest == [a % b if b else None for a, b in pairs]
    assert evaluate(parse("a + 0.5"), batch).to_pylist() == [float(a) + 0.5 for a, _ in pairs]
    assert evaluate(parse("a > 0.5"), batch).to_pylist() == [float(a) > 0.5 for a, _ in pairs]
    for text in ("a / b", "a * 0.5 - b", "if(a > b, a, 0.5)", "least(a, 0.5)", "a in [0.5, 7]"):
        assert evaluate(parse(text), batch).null_count == 0
