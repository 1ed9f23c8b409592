"""No cell of a CSV file starts a formula."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.csv.formulas import without_formulas

STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


@given(st.lists(st.none() | st.text(alphabet=STARTS + "a1'\"", max_size=4)))
def test_no_text_starts_a_formula_and_none_is_lost(texts: list[str | None]) -> None:
    found = without_formulas(pa.table({"text": pa.array(texts, pa.string())}))
    for before, after in zip(texts, found["text"].to_pylist(), strict=True):
        starts = before is not None and before[:1] in STARTS and before != ""
        assert after == (f"'{before}" if starts else before)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"])
def test_each_start_is_guarded(text: str) -> None:
    table = pa.table({"text": pa.array([text], pa.large_string())})
    assert without_formulas(table)["text"].to_pylist() == [f"'{text}"]


def test_numbers_stay_numbers() -> None:
    table = pa.table({"score": [-1.5, None], "seq": [-1, 2], "name": ["a", "b"]})
    assert without_formulas(table).equals(table)
