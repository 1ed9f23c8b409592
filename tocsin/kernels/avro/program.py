"""An Avro schema as a program: one operation for each type, in the order of the bytes.

A union's branches and a list's items follow their operation. Every operation belongs to a domain:
the messages (0), or the items of one array or map. An operation has one entry for each item of its
domain, so a branch that was not written has an entry that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tocsin.kernels.batch import Int64s

(NULL, BOOLEAN, INT, LONG, FLOAT, DOUBLE, STRING, BYTES, FIXED, ENUM, RECORD, UNION, ARRAY, MAP) = (
    range(14)
)
CODES = {
    "null": NULL,
    "boolean": BOOLEAN,
    "int": INT,
    "long": LONG,
    "float": FLOAT,
    "double": DOUBLE,
    "string": STRING,
    "bytes": BYTES,
    "fixed": FIXED,
    "enum": ENUM,
    "record": RECORD,
    "array": ARRAY,
    "map": MAP,
}


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        op: its number.
        code: its kind.
        kind: the Avro type.
        name: the path of field names, joined by underscores.
        domain: the items that have an entry here.
        parts: the fields, the branches, the item, or the key and the value.
        end: the number of the operation after this one and its parts.
    """

    op: int
    code: int
    kind: Any
    name: str
    domain: int
    parts: tuple[Node, ...]
    end: int


@dataclass
class Program:
    """The operations of a writer schema.

    Attributes:
        nodes: all operations by number; the first is the record.
        owners: by domain, the operation of its array or map; -1 for the messages.
        depth: how many unions, arrays and maps may be open at once.
    """

    nodes: list[Node] = field(default_factory=list)
    owners: list[int] = field(default_factory=lambda: [-1])
    depth: int = 0

    @classmethod
    def of(cls, record: Any) -> Program:
        """The program of a parsed record schema.

        Raises:
            ValueError: for a type that contains itself, or that Avro does not know.
        """
        program = cls()
        program._add(record, "", 0, 0)
        return program

    @property
    def root(self) -> Node:
        """The operation of the record."""
        return self.nodes[0]

    def _add(self, kind: Any, name: str, domain: int, depth: int) -> Node:
        op = len(self.nodes)
        code = UNION if isinstance(kind, list) else CODES.get(base_of(kind), -1)
        if code < 0:
            raise ValueError(f"the type '{base_of(kind)}' contains itself or is unknown")
        self.nodes.append(Node(op, code, kind, name, domain, (), 0))
        self.depth = max(self.depth, depth + 1)
        parts: list[Node] = []
        if code == RECORD:
            for one in kind["fields"]:
                inner = f"{name}_{one['name']}" if name else one["name"]
                parts.append(self._add(one["type"], inner, domain, depth))
        elif code == UNION:
            parts = [self._add(branch, name, domain, depth + 1) for branch in kind]
        elif code in (ARRAY, MAP):
            self.owners.append(op)
            inside = len(self.owners) - 1
            members = [kind["items"]] if code == ARRAY else ["string", kind["values"]]
            parts = [self._add(member, name, inside, depth + 1) for member in members]
        node = Node(op, code, kind, name, domain, tuple(parts), len(self.nodes))
        self.nodes[op] = node
        return node

    def table(self) -> Int64s:
        """int64 of shape (operations, 6): code, limit, end, domain, first branch, null's branch.

        The limit is the number of symbols, branches or bytes; of an array or map it is the number
        of its items' domain. The first branch is a place in `starts`. Null's branch is that of a
        union of null and one type; -1 for all other types.
        """
        rows, first = [], 0
        inside = {op: domain for domain, op in enumerate(self.owners)}
        for node in self.nodes:
            limit = len(node.parts)
            if node.code == ENUM:
                limit = len(node.kind["symbols"])
            elif node.code == FIXED:
                limit = node.kind["size"]
            elif node.code in (ARRAY, MAP):
                limit = inside[node.op]
            nulls = [at for at, part in enumerate(node.parts) if part.code == NULL]
            nullable = node.code == UNION and len(node.parts) == 2 and len(nulls) == 1
            null = nulls[0] if nullable else -1
            rows.append((node.code, limit, node.end, node.domain, first, null))
            first += len(node.parts) if node.code == UNION else 0
        return np.array(rows, np.int64)

    def starts(self) -> Int64s:
        """The operation of each branch of each union."""
        branches = [p.op for node in self.nodes if node.code == UNION for p in node.parts]
        return np.array(branches or [0], np.int64)


def base_of(kind: Any) -> str:
    """The name of a type without its attributes."""
    while isinstance(kind, dict):
        kind = kind["type"]
    return kind if isinstance(kind, str) else "union"
