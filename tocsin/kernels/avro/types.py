"""Avro schemas as Arrow schemas, with nested records flattened.

A nested record `position` with a field `lat` becomes the column `position_lat`. A union with null
becomes a nullable column. Timestamps of any unit become timestamp[us, UTC], local timestamps
timestamp[us] without a zone, and enums strings. Decimals, maps and arrays keep their structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fastavro
import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP

_PRIMITIVES = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
}
_LOGICAL = {
    "timestamp-millis": TIMESTAMP,
    "timestamp-micros": TIMESTAMP,
    "timestamp-nanos": TIMESTAMP,
    "local-timestamp-millis": pa.timestamp("us"),
    "local-timestamp-micros": pa.timestamp("us"),
    "local-timestamp-nanos": pa.timestamp("us"),
    "date": pa.date32(),
    "time-millis": pa.time64("us"),
    "time-micros": pa.time64("us"),
}
_FAST = {"boolean", "int", "long", "float", "double", "string"}
_FAST_LOGICAL = {"timestamp-millis", "timestamp-micros", "date"}

NO_DEFAULT = object()


@dataclass(frozen=True)
class Leaf:
    """One column of a record schema.

    Attributes:
        path: field names from the root.
        type: Arrow type.
        nullable: whether the field or a record around it may be null.
        default: the reader's default, or NO_DEFAULT.
        aliases: other paths under which a writer may have written the field.
    """

    path: tuple[str, ...]
    type: Any
    nullable: bool
    default: Any
    aliases: tuple[tuple[str, ...], ...]

    @property
    def name(self) -> str:
        """The column name: the path joined by underscores."""
        return "_".join(self.path)


def parse_schema(text: str | dict[str, Any]) -> Any:
    """A parsed Avro schema of a record, with named types expanded in place.

    Raises:
        ValueError: for anything else than a record schema.
    """
    import json

    try:
        raw = json.loads(text) if isinstance(text, str) else text
        expanded = fastavro.schema.expand_schema(raw)
    except Exception as error:  # noqa: BLE001 - fastavro raises many kinds, json its own
        raise ValueError(f"not an Avro schema: {error}") from None
    if not isinstance(expanded, dict) or expanded.get("type") != "record":
        raise ValueError("not an Avro schema of a record: readings need named fields")
    return expanded


def leaves(record: Any) -> list[Leaf]:
    """The columns of a record schema.

    Raises:
        ValueError: for a union of several types, two fields with one column name, or a name that
            starts with an underscore.
    """
    found = _leaves(record, (), False, NO_DEFAULT, ((),))
    names = [leaf.name for leaf in found]
    for leaf in found:
        if names.count(leaf.name) > 1:
            raise ValueError(f"two fields flatten to the column '{leaf.name}'")
        if leaf.name.startswith("_"):
            raise ValueError(
                f"the column '{leaf.name}' starts with an underscore, "
                "which is kept for system columns"
            )
    return found


def _leaves(
    record: Any,
    path: tuple[str, ...],
    nullable: bool,
    default: Any,
    olds: tuple[tuple[str, ...], ...],
) -> list[Leaf]:
    found = []
    for field in record["fields"]:
        inner, optional = without_null(field["type"])
        here = (*path, field["name"])
        value = (
            field.get("default", NO_DEFAULT) if default is NO_DEFAULT else _member(default, field)
        )
        names = (field["name"], *field.get("aliases", ()))
        formers = tuple(
            (*old, name) for old in (*olds, path) for name in names if (*old, name) != here
        )
        if isinstance(inner, dict) and inner.get("type") == "record":
            found += _leaves(
                inner, here, nullable or optional, value, ((*path, field["name"]), *formers)
            )
        else:
            found.append(Leaf(here, arrow_type(inner), nullable or optional, value, formers))
    return found


def _member(default: Any, field: Any) -> Any:
    if isinstance(default, dict):
        return default.get(field["name"], field.get("default", NO_DEFAULT))
    return default


def without_null(kind: Any) -> tuple[Any, bool]:
    """A type without its union with null, and whether it had one.

    Raises:
        ValueError: for a union of several types.
    """
    if not isinstance(kind, list):
        return kind, kind == "null"
    others = [member for member in kind if member != "null"]
    if len(others) > 1:
        names = " and ".join(str(m.get("type") if isinstance(m, dict) else m) for m in others)
        raise ValueError(
            f"a union of {names} has no column type; use one type, with or without null"
        )
    return (others[0] if others else "null"), "null" in kind


def kind_at(record: Any, path: tuple[str, ...]) -> Any:
    """The Avro type of the field at a path, without its union with null."""
    for step in path:
        field = next(field for field in record["fields"] if field["name"] == step)
        record, _ = without_null(field["type"])
    return record


def arrow_type(kind: Any) -> Any:
    """The Arrow type of an Avro type inside a column."""
    kind, _ = without_null(kind)
    if isinstance(kind, str):
        return _PRIMITIVES[kind]
    logical, plain = kind.get("logicalType"), kind["type"]
    if logical in _LOGICAL:
        return _LOGICAL[logical]
    if logical == "decimal":
        return pa.decimal128(kind["precision"], kind.get("scale", 0))
    if plain == "record":
        return pa.struct([pa.field(f["name"], arrow_type(f["type"])) for f in kind["fields"]])
    if plain == "array":
        return pa.list_(arrow_type(kind["items"]))
    if plain == "map":
        return pa.map_(pa.string(), arrow_type(kind["values"]))
    if plain == "enum":
        return pa.string()
    if plain == "fixed":
        return pa.binary()
    return arrow_type(plain)


def arrow_fields(record: Any) -> list[pa.Field]:
    """The columns of a record schema as Arrow fields."""
    return [pa.field(leaf.name, leaf.type, leaf.nullable) for leaf in leaves(record)]


def is_fast(kind: Any) -> bool:
    """Whether pyruhvro 0.4 decodes the type without a panic, as tests of each type show."""
    try:
        kind, _ = without_null(kind)
    except ValueError:
        return False
    if isinstance(kind, str):
        return kind in _FAST
    logical, plain = kind.get("logicalType"), kind["type"]
    if logical is not None:
        return logical in _FAST_LOGICAL
    if plain == "record":
        return all(is_fast(field["type"]) for field in kind["fields"])
    if plain in ("array", "map"):
        return is_fast(kind["items"] if plain == "array" else kind["values"])
    return plain == "enum" or (isinstance(plain, str) and plain in _FAST)
