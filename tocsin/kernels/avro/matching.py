"""How an operation of the writer's program gives an array of a reader's type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.avro import program as codes
from tocsin.kernels.avro.columns import (
    bounds,
    decimals,
    not_texts,
    numbers,
    outside,
    plain,
    texts,
    times,
)
from tocsin.kernels.avro.entries import Entries
from tocsin.kernels.avro.json_values import scalar
from tocsin.kernels.avro.program import Node, base_of
from tocsin.kernels.avro.types import NO_DEFAULT, arrow_type, logical_of, without_null

_PROMOTED = {
    codes.INT: {"int", "long", "float", "double"},
    codes.LONG: {"long", "float", "double"},
    codes.FLOAT: {"float", "double"},
    codes.DOUBLE: {"double"},
    codes.BOOLEAN: {"boolean"},
    codes.STRING: {"string", "bytes", "enum"},
    codes.BYTES: {"string", "bytes", "fixed"},
    codes.FIXED: {"fixed", "bytes"},
    codes.ENUM: {"enum", "string"},
}


@dataclass
class Rejecting:
    """Entries of messages, and the reasons why some messages have no row.

    Attributes:
        entries: the entries.
        reasons: by index of the message among the entries' rows.
    """

    entries: Entries
    reasons: dict[int, str] = field(default_factory=dict)

    def reject(self, domain: int, bad: Any, sentence: Callable[[int], str]) -> None:
        """Reject the messages of some items.

        Args:
            domain: the items' domain.
            bad: mask of the items, or None for no item.
            sentence: gives the reason of an item. The first item of a message counts.
        """
        if bad is None or not bad.any():
            return
        items = np.flatnonzero(bad)
        owners, first = np.unique(self.entries.owners(domain)[items], return_index=True)
        for owner, at in zip(owners.tolist(), items[first].tolist(), strict=True):
            self.reasons.setdefault(owner, sentence(at))


# Gives the array of an operation. The mask says which items were written; None: all of them.
Reader = Callable[[Rejecting, Any], Any]


def value_reader(node: Node, kind: Any, name: str) -> Reader:
    """The reader of an operation as an Avro type without null. It gives null for null.

    Raises:
        ValueError: if the type cannot read the writer's data.
    """
    if node.code == codes.UNION:
        return _union(node, kind, name)
    if node.code == codes.NULL:
        wanted = arrow_type(kind)
        return lambda rows, _: pa.nulls(rows.entries.count(node.domain), wanted)
    base = base_of(kind)
    if node.code == codes.RECORD and base == "record":
        return _record(node, kind, name)
    if node.code == codes.ARRAY and base == "array":
        return _list(node, kind["items"], name)
    if node.code == codes.MAP and base == "map":
        return _list(node, kind["values"], name)
    if base not in _PROMOTED.get(node.code, ()):
        raise _misfit(node, kind, name)
    logical = logical_of(kind)
    if logical == "decimal":
        return _decimal(node, kind, name)
    if logical is not None:
        return _time(node, kind, name)
    if base == "enum":
        return _enum(node, kind, name)
    if base in ("string", "bytes", "fixed"):
        return _text(node, kind, name)
    wanted = arrow_type(kind)

    def number(rows: Rejecting, _present: Any) -> Any:
        column = plain(rows.entries, node)
        # Avro rounds a long to the nearest float, which Arrow calls unsafe.
        return column if column.type == wanted else column.cast(wanted, safe=False)

    return number


def item_reader(node: Node, kind: Any, name: str) -> Reader:
    """As `value_reader`, for a type that may be a union with null. Null without it is a fault."""
    inner, optional = without_null(kind)
    read = value_reader(node, inner, name)
    return read if optional else required(read, node, name)


def required(read: Reader, node: Node, name: str) -> Reader:
    """A reader that rejects messages in which a written item is null."""

    def checked(rows: Rejecting, present: Any) -> Any:
        column = read(rows, present)
        if column.null_count:
            bad = column.is_null().to_numpy(zero_copy_only=False)
            rows.reject(
                node.domain,
                bad if present is None else bad & present,
                lambda _: f"'{name}' is null, and the schema needs a value",
            )
        return column

    return checked


def _misfit(node: Node, kind: Any, name: str) -> ValueError:
    return ValueError(
        f"field '{name}' was written as {_written(node)}, which does not read as {arrow_type(kind)}"
    )


def _written(node: Node) -> str:
    if node.code in (codes.RECORD, codes.FIXED):
        return f"{base_of(node.kind)} '{node.kind['name']}'"
    return str(arrow_type(node.kind))


def _union(node: Node, kind: Any, name: str) -> Reader:
    """The branch that was written, if it fits."""
    fitting: list[tuple[int, Reader]] = []
    others: list[tuple[int, str]] = []
    errors: list[ValueError] = []
    for at, branch in enumerate(node.parts):
        if branch.code == codes.NULL:
            continue
        try:
            fitting.append((at, value_reader(branch, kind, name)))
        except ValueError as error:
            others.append((at, base_of(branch.kind)))
            errors.append(error)
    if errors and not fitting:
        raise errors[0]
    wanted = arrow_type(kind)
    if not fitting:
        return lambda rows, _: pa.nulls(rows.entries.count(node.domain), wanted)

    def read(rows: Rejecting, present: Any) -> Any:
        if node.op not in rows.entries.slots:
            # The loop for plain records keeps no branches: the entries say which are missing.
            return fitting[0][1](rows, present)
        chosen = rows.entries.slots[node.op]
        columns = [one(rows, chosen == at) for at, one in fitting]
        for at, written in others:
            rows.reject(node.domain, chosen == at, _no_branch(name, written, wanted))
        return columns[0] if len(columns) == 1 else pc.coalesce(*columns)

    return read


def _no_branch(name: str, written: str, wanted: Any) -> Callable[[int], str]:
    return lambda _: f"'{name}' holds a {written}, which does not read as {wanted}"


def _record(node: Node, kind: Any, name: str) -> Reader:
    written = {part_name["name"]: part for part_name, part in _fields(node)}
    fields = [pa.field(one["name"], arrow_type(one["type"])) for one in kind["fields"]]
    readers: list[Reader] = []
    for one in kind["fields"]:
        names = (one["name"], *one.get("aliases", ()))
        part = next((written[known] for known in names if known in written), None)
        path = f"{name}_{one['name']}"
        if part is not None:
            readers.append(item_reader(part, one["type"], path))
        elif "default" in one:
            readers.append(constant(node, one["type"], one["default"], path))
        else:
            raise no_field(path)

    def read(rows: Rejecting, present: Any) -> Any:
        columns = [one(rows, present) for one in readers]
        mask = None if present is None else pa.array(~present)
        return pa.StructArray.from_arrays(columns, fields=fields, mask=mask)

    return read


def _fields(record: Node) -> list[tuple[Any, Node]]:
    return list(zip(record.kind["fields"], record.parts, strict=True))


def no_field(name: str) -> ValueError:
    """The error of a field that has no value."""
    return ValueError(f"the writer's schema has no field '{name}', and the reader's has no default")


def constant(node: Node, kind: Any, default: Any, name: str) -> Reader:
    """A reader's default for each item of an operation's domain.

    Raises:
        ValueError: if the type does not have this value.
    """
    if default is NO_DEFAULT:
        raise no_field(name)
    try:
        value = scalar(kind, default)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the default of '{name}' is not of its type: {error}") from None
    return lambda rows, _: pa.repeat(value, rows.entries.count(node.domain))


def _list(node: Node, items: Any, name: str) -> Reader:
    """Arrays and maps."""
    is_map = node.code == codes.MAP
    key = node.parts[0]
    read_item = item_reader(node.parts[-1], items, name)
    wanted = pa.map_(pa.string(), arrow_type(items)) if is_map else pa.list_(arrow_type(items))

    def read(rows: Rejecting, _present: Any) -> Any:
        counts, mask = numbers(rows.entries, node.op)
        ends = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=ends[1:])
        offsets = pa.array(ends.astype(np.int32))
        values = read_item(rows, None)
        absent = None if mask is None else pa.array(mask)
        if not is_map:
            return pa.ListArray.from_arrays(offsets, values, type=wanted, mask=absent)
        keys = plain(rows.entries, key)
        return pa.MapArray.from_arrays(offsets, keys, values, type=wanted, mask=absent)

    return read


def _time(node: Node, kind: Any, name: str) -> Reader:
    """A number as a date or a time. The writer's unit wins, because it made the number."""
    wanted, written = arrow_type(kind), logical_of(node.kind)
    logical = str(logical_of(kind) if written is None else written)
    low, high, sentence = bounds(logical)
    if (logical == "date") != (wanted == pa.date32()) or logical.startswith("time-") != (
        pa.types.is_time(wanted)
    ):
        raise _misfit(node, kind, name)

    def read(rows: Rejecting, _present: Any) -> Any:
        values, mask = numbers(rows.entries, node.op)
        bad = outside(values, low, high)
        if bad is not None:
            sent = values
            rows.reject(node.domain, bad, lambda at: f"'{name}' is {sent[at]} {sentence}")
            values = np.where(bad, 0, values)
        return times(values, mask, logical, wanted)

    return read


def _decimal(node: Node, kind: Any, name: str) -> Reader:
    wanted = arrow_type(kind)
    if node.code not in (codes.BYTES, codes.FIXED) or (
        logical_of(node.kind) == "decimal" and node.kind.get("scale", 0) != wanted.scale
    ):
        raise _misfit(node, kind, name)

    def read(rows: Rejecting, _present: Any) -> Any:
        column, bad = decimals(rows.entries, node, wanted)
        rows.reject(node.domain, bad, lambda _: f"'{name}' has more than {wanted.precision} digits")
        return column

    return read


def _enum(node: Node, kind: Any, name: str) -> Reader:
    symbols = pa.array(kind["symbols"], pa.string())
    default = kind.get("default")
    is_same = node.code == codes.ENUM and set(node.kind["symbols"]) <= set(kind["symbols"])
    if default is not None and default not in kind["symbols"]:
        raise ValueError(f"the default '{default}' of the enum in '{name}' is no symbol of it")

    def read(rows: Rejecting, _present: Any) -> Any:
        column = plain(rows.entries, node)
        if is_same:
            return column
        unknown = pc.and_(column.is_valid(), pc.invert(pc.is_in(column, symbols)))
        if default is not None:
            return pc.if_else(unknown, pa.scalar(default), column)
        rows.reject(
            node.domain,
            unknown.to_numpy(zero_copy_only=False),
            lambda at: f"'{name}' has the symbol '{column[at]}', which the reader's enum lacks",
        )
        return column

    return read


def _text(node: Node, kind: Any, name: str) -> Reader:
    base, wanted = base_of(kind), arrow_type(kind)
    size = kind["size"] if base == "fixed" else None
    if node.code == codes.FIXED and size is not None and size != node.kind["size"]:
        raise ValueError(
            f"field '{name}' was written as {node.kind['size']} bytes, and the reader has {size}"
        )

    def read(rows: Rejecting, _present: Any) -> Any:
        entries = rows.entries
        if node.code == codes.ENUM:
            return plain(entries, node)
        starts, mask = numbers(entries, node.op)
        sizes = entries.sizes[node.op]
        if node.code == codes.BYTES and base == "string":
            bad = not_texts(entries, node.op)
            rows.reject(node.domain, bad, lambda _: f"'{name}' is not UTF-8")
            sizes = np.where(bad, 0, sizes)
        if node.code == codes.BYTES and size is not None:
            bad = sizes != size if mask is None else (sizes != size) & ~mask
            rows.reject(node.domain, bad, lambda at: f"'{name}' has {sizes[at]} bytes, not {size}")
        return texts(entries.data, starts, sizes, mask, wanted)

    return read
