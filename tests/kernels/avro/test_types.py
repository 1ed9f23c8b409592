"""A schema that names its types many times is refused before it is expanded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tocsin.kernels.avro.types import leaves, parse_schema


def doubling(levels: int) -> str:
    """A schema of records, each of which has the one before it eight times."""
    innermost = {"type": "record", "name": "r0", "fields": [{"name": "x", "type": "long"}]}
    fields: list[dict[str, Any]] = [{"name": "b0", "type": innermost}]
    for level in range(1, levels):
        inner = [{"name": name, "type": f"r{level - 1}"} for name in "abcdefgh"]
        record = {"type": "record", "name": f"r{level}", "fields": inner}
        fields.append({"name": f"b{level}", "type": record})
    return json.dumps({"type": "record", "name": "r", "fields": fields})


def test_named_types_are_expanded() -> None:
    assert len(leaves(parse_schema(doubling(3)))) == 1 + 8 + 64


@pytest.mark.parametrize("levels", [7, 40])
def test_a_schema_that_doubles_is_refused(levels: int) -> None:
    with pytest.raises(ValueError, match="more than 20,000 types"):
        parse_schema(doubling(levels))
