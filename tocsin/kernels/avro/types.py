"""Avro schemas as Arrow schemas, with nested records flattened.

A nested record `position` with a field `lat` becomes the column `position_lat`. A union with null
becomes a nullable column. Timestamps of any unit become timestamp[us, UTC], local timestamps
timestamp[us] without a zone, and enums strings. A union of number types becomes the widest of them.
Decimals, maps and arrays keep their structure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
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
_BASES = {
    **{logical: {"long"} for logical in _LOGICAL},
    "date": {"int"},
    "time-millis": {"int"},
    "decimal": {"bytes", "fixed"},
}
_MOST_DIGITS = 76
# A union of number types is read as the widest of them.
_WIDTHS = ("int", "long", "float", "double")


_MOST_TYPES = 20_000


class _Missing(Enum):
    """A value that a copy in another process is identical to."""

    NO_DEFAULT = "no default"


NO_DEFAULT = _Missing.NO_DEFAULT


@dataclass(frozen=True)
class Leaf:
    """One column of a record schema.

    Attributes:
        path: field names from the root.
        type: Arrow type.
        nullable: whether the field or a record around it may be null.
        default: the reader's default, or NO_DEFAULT.
        aliases: other paths under which a writer may have written the field.
        kind: Avro type, without its union with null.
    """

    path: tuple[str, ...]
    type: Any
    nullable: bool
    default: Any
    aliases: tuple[tuple[str, ...], ...]
    kind: Any

    @property
    def name(self) -> str:
        """The column name: the path joined by underscores."""
        return "_".join(self.path)


def parse_schema(text: str | dict[str, Any]) -> Any:
    """A parsed Avro schema of a record, with named types expanded in place.

    Raises:
        ValueError: for anything else than a record schema, and for a type that contains itself.
    """
    import json

    try:
        raw = json.loads(text) if isinstance(text, str) else text
        _check_size(raw)
        expanded = _plain(fastavro.schema.expand_schema(raw))
    except Exception as error:  # noqa: BLE001 - fastavro raises many kinds, json its own
        raise ValueError(f"not an Avro schema: {error}") from None
    if not isinstance(expanded, dict) or expanded.get("type") != "record":
        raise ValueError("not an Avro schema of a record: readings need named fields")
    _check(expanded, "")
    return expanded


def _check_size(raw: Any) -> None:
    if _expanded_size(raw, {}) > _MOST_TYPES:
        raise ValueError(f"it has more than {_MOST_TYPES:,} types, with named ones expanded")


def _expanded_size(schema: Any, known: dict[str, int]) -> int:
    """The number of types of a schema with named types expanded, without expanding them.

    A record that has another one several times doubles the columns with each level.
    """
    if isinstance(schema, str):
        return known.get(schema.rpartition(".")[2], 1)
    if isinstance(schema, list):
        return 1 + sum(_expanded_size(branch, known) for branch in schema)
    if not isinstance(schema, dict):
        return 1
    inner = [field.get("type") for field in schema.get("fields", ())]
    inner += [schema.get(key) for key in ("type", "items", "values")]
    size = 1 + sum(_expanded_size(kind, known) for kind in inner if kind is not None)
    if "name" in schema:
        known[str(schema["name"]).rpartition(".")[2]] = size
    return size


def _plain(schema: Any) -> Any:
    """A schema without the keys that fastavro adds."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if not key.startswith("__")}
    return [_plain(member) for member in schema] if isinstance(schema, list) else schema


def _check(kind: Any, name: str) -> None:
    """Refuse types that fastavro accepts and no column can hold."""
    if isinstance(kind, list):
        if not kind:
            raise ValueError(f"the union in '{name}' has no types")
        for branch in kind:
            _check(branch, name)
        if any(isinstance(branch, list) for branch in kind):
            raise ValueError(f"the union in '{name}' holds a union; write one union")
        if len(kind) != len({_name_of(branch) for branch in kind}):
            raise ValueError(f"the union in '{name}' holds one type twice; write each once")
    elif isinstance(kind, str):
        if kind not in _PRIMITIVES:
            raise ValueError(
                f"the type '{kind}' in '{name}' contains itself, and columns have no recursive "
                "type; write its levels as fields, or leave the field out"
            )
    elif kind["type"] == "record":
        for field in kind["fields"]:
            _check(field["type"], field["name"])
    elif kind["type"] in ("array", "map"):
        _check(kind["items"] if kind["type"] == "array" else kind["values"], name)
    elif kind["type"] == "fixed":
        if not isinstance(kind["size"], int) or not 0 <= kind["size"] < 2**31:
            raise ValueError(f"the size {kind['size']} of '{name}' is no number of bytes")
    elif kind["type"] != "enum":
        _check(kind["type"], name)


def _name_of(kind: Any) -> str:
    """What tells a union's branches apart: the name of a named type, else the type."""
    return str(kind.get("name", kind["type"]) if isinstance(kind, dict) else kind)


def logical_of(kind: Any) -> str | None:
    """The logical type of a type. One that Tocsin does not know, or that is not valid, is None.

    Source: Apache Avro specification: implementations use the underlying type instead.
    """
    logical = kind.get("logicalType") if isinstance(kind, dict) else None
    if not isinstance(logical, str) or kind["type"] not in _BASES.get(logical, ()):
        return None
    if logical != "decimal":
        return logical
    precision, scale = kind.get("precision"), kind.get("scale", 0)
    whole = isinstance(precision, int) and isinstance(scale, int)
    return logical if whole and 0 <= scale <= precision and precision > 0 else None


def leaves(record: Any) -> list[Leaf]:
    """The columns of a record schema.

    Raises:
        ValueError: for a union of several types that are not all numbers, two fields with one
            column name, a name that starts with an underscore, or a record without columns.
    """
    found = _leaves(record, (), False, NO_DEFAULT, ((),))
    if not found:
        raise ValueError(f"the record '{record['name']}' has no fields, so it has no columns")
    counts = Counter(leaf.name for leaf in found)
    for leaf in found:
        if counts[leaf.name] > 1:
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
            column = arrow_type(inner)
            found.append(Leaf(here, column, nullable or optional, value, formers, inner))
    return found


def _member(default: Any, field: Any) -> Any:
    if isinstance(default, dict):
        return default.get(field["name"], field.get("default", NO_DEFAULT))
    return default


def without_null(kind: Any) -> tuple[Any, bool]:
    """A type without its union with null, and whether it had one.

    Raises:
        ValueError: for a union of several types that are not all numbers.
    """
    if not isinstance(kind, list):
        return kind, kind == "null"
    others = [member for member in kind if member != "null"]
    if len(others) > 1:
        if all(isinstance(member, str) and member in _WIDTHS for member in others):
            return max(others, key=_WIDTHS.index), "null" in kind
        names = " and ".join(str(m.get("type") if isinstance(m, dict) else m) for m in others)
        raise ValueError(
            f"a union of {names} has no column type; use one type, with or without null"
        )
    return (others[0] if others else "null"), "null" in kind


def arrow_type(kind: Any) -> Any:
    """The Arrow type of an Avro type inside a column."""
    kind, _ = without_null(kind)
    if isinstance(kind, str):
        return _PRIMITIVES[kind]
    logical, plain = logical_of(kind), kind["type"]
    if logical in _LOGICAL:
        return _LOGICAL[logical]
    if logical == "decimal":
        return _decimal(kind["precision"], kind.get("scale", 0))
    if plain == "record":
        if not kind["fields"]:
            raise ValueError(f"the record '{kind['name']}' has no fields, so it has no column type")
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


def descriptions(record: Any) -> dict[str, str]:
    """The `doc` of each field of a parsed record schema, by the name of its column.

    Items of an array of records have the names of their fields, unless the record has them.
    """
    found: dict[str, str] = {}
    items: dict[str, str] = {}
    for field in record["fields"]:
        if isinstance(field.get("doc"), str) and field["doc"].strip():
            found[field["name"]] = " ".join(field["doc"].split())
        for kind in field["type"] if isinstance(field["type"], list) else [field["type"]]:
            if not isinstance(kind, dict):
                continue
            if kind.get("type") == "record":
                inner = descriptions(kind)
                found |= {f"{field['name']}_{name}": text for name, text in inner.items()}
            elif isinstance(kind.get("items"), dict) and kind["items"].get("type") == "record":
                items |= descriptions(kind["items"])
    return items | found


def _decimal(precision: int, scale: int) -> Any:
    if precision > _MOST_DIGITS:
        raise ValueError(
            f"a decimal of {precision} digits has no column type; at most {_MOST_DIGITS} fit"
        )
    kind = pa.decimal128 if precision <= 38 else pa.decimal256
    return kind(precision, scale)
