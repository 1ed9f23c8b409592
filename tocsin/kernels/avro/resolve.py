"""Avro's schema resolution on columns, from a writer's entries to the reader's columns.

| writer | reader | value |
|---|---|---|
| no such field | a field with a default | the default |
| a field | no such field | dropped, whatever its type |
| int | long, float, double | rounded to the nearest float |
| long | float, double | rounded to the nearest float |
| float | double | the same |
| string, bytes | bytes, string | the same bytes; a fault if they are not UTF-8 |
| a symbol the reader's enum lacks | enum with a default | the default; a fault without one |
| union | any | of the branch that was written; a fault if that branch does not fit |
| number | logical type | in the writer's unit if the writer has one, else in the reader's |
| null | a type without null | a fault |

Fields match by name or alias. Source: Apache Avro specification, Schema Resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.kernels.avro import program as codes
from tocsin.kernels.avro.entries import Entries
from tocsin.kernels.avro.matching import (
    Reader,
    Rejecting,
    constant,
    required,
    value_reader,
)
from tocsin.kernels.avro.program import Node, Program, base_of
from tocsin.kernels.avro.total import Decoded, unreadable
from tocsin.kernels.avro.types import Leaf


class Resolution:
    """The conversion of a writer's entries to a reader's columns.

    Raises:
        ValueError: if the reader schema cannot read the writer's data.
    """

    def __init__(self, writer: Program, reader: list[Leaf]) -> None:
        self.schema = pa.schema([pa.field(leaf.name, leaf.type, leaf.nullable) for leaf in reader])
        self._guards: list[_Guard] = []
        by_path = {path: (node, guards) for path, node, guards in _paths(writer.root, (), ())}
        self._columns: list[Reader] = []
        for leaf in reader:
            paths = (leaf.path, *leaf.aliases)
            found = next((by_path[path] for path in paths if path in by_path), None)
            if found is None:
                default = constant(writer.root, leaf.kind, leaf.default, leaf.name)
                self._columns.append(default)
                continue
            node, guards = found
            self._guards += [guard for guard in guards if guard not in self._guards]
            read = value_reader(node, leaf.kind, leaf.name)
            self._columns.append(read if leaf.nullable else required(read, node, leaf.name))

    def apply(self, entries: Entries) -> Decoded:
        """The reader's columns, and the faults of messages that have no meaning in them."""
        rows = Rejecting(entries)
        for guard in self._guards:
            guard.check(rows)
        columns = [read(rows, None) for read in self._columns]
        faults, kept = entries.faults, entries.rows
        if rows.reasons:
            bad = np.array(sorted(rows.reasons), np.int64)
            faults = sorted([*faults, *((int(kept[at]), rows.reasons[at]) for at in bad.tolist())])
            good = np.delete(np.arange(len(kept)), bad)
            kept = kept[good]
            columns = [column.take(pa.array(good)) for column in columns]
        batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        return Decoded(batch, kept, [(at, unreadable(reason)) for at, reason in faults])


@dataclass(frozen=True)
class _Guard:
    """A branch of a union with a record that the reader's columns have no place for."""

    union: Node
    branch: int
    written: str

    def check(self, rows: Rejecting) -> None:
        rows.reject(
            self.union.domain,
            rows.entries.slots[self.union.op] == self.branch,
            lambda _: f"'{self.union.name}' holds a {self.written}, and the reader a record",
        )


def _paths(
    record: Node, path: tuple[str, ...], guards: tuple[_Guard, ...]
) -> list[tuple[tuple[str, ...], Node, tuple[_Guard, ...]]]:
    """The path, the operation and the guards of each field, also of records in records."""
    found = []
    for declared, part in zip(record.kind["fields"], record.parts, strict=True):
        here, inner, guarded = (*path, declared["name"]), part, guards
        if part.code == codes.UNION:
            records = [one for one in part.parts if one.code == codes.RECORD]
            if len(records) == 1:
                inner = records[0]
                guarded = (*guards, *_guards(part, inner))
        if inner.code == codes.RECORD:
            found += _paths(inner, here, guarded)
        else:
            found.append((here, part, guards))
    return found


def _guards(union: Node, record: Node) -> list[_Guard]:
    return [
        _Guard(union, at, base_of(branch.kind))
        for at, branch in enumerate(union.parts)
        if branch.code != codes.NULL and branch is not record
    ]
