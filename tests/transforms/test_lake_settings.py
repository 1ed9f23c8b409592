"""The limits of a lake's settings."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from tocsin.foundation.faults import Fault
from tocsin.kernels.batch import readings_schema
from tocsin.parts.registry import find


def sink(**config: Any) -> Any:
    return find("write", "write_to_lake")(**{"lake": "lake", "dataset": "d", **config})


@pytest.mark.parametrize(
    ("field", "least", "most"), [("shards", 1, 256), ("dataset", "d", "d" * 100)]
)
def test_a_setting_has_limits(field: str, least: Any, most: Any) -> None:
    for value in (least, most):
        assert getattr(sink(**{field: value}), field) == value
    beyond = (least - 1, most + 1) if field == "shards" else ("", most + "d")
    for value in beyond:
        with pytest.raises(ValidationError):
            sink(**{field: value})


SCHEMA = readings_schema([pa.field("x", pa.float64())], topic="t", allowed_lateness=0)


@pytest.mark.parametrize("span", ["1 s", "2 s", "1 h"])
def test_a_file_spans_whole_seconds(span: str) -> None:
    sink(span=span).check_schema(SCHEMA)


@pytest.mark.parametrize("span", ["999 ms", "1500 ms", "1001 ms"])
def test_a_file_spans_no_part_of_a_second(span: str) -> None:
    with pytest.raises(Fault, match="a file spans whole seconds, at least one"):
        sink(span=span).check_schema(SCHEMA)
