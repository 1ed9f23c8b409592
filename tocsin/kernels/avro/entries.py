"""What messages hold, by operation of their program, and why some messages are unreadable."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tocsin.kernels.avro.byte_strings import Octets
from tocsin.kernels.avro.program import Program
from tocsin.kernels.batch import Int64s

# Items without bytes, such as nulls, cost nothing to send: 5 bytes can claim 2 billion of them.
MOST_EMPTY_ITEMS = 1000

# The sentence of each fault number of the loops, with the field's name.
REASONS = (
    "",
    "it ends within '{}'",
    "no such branch of the union in '{}'",
    "the number in '{}' is too long",
    "'{}' is no 32-bit number",
    "'{}' has no symbol of that number",
    "'{}' has a negative length",
    "'{}' is not UTF-8",
    "'{}' is neither true nor false",
    f"'{{}}' has more than {MOST_EMPTY_ITEMS} items without bytes",
    "it follows a record in its block of which '{}' is unreadable",
)


@dataclass
class Entries:
    """What the readable messages hold, by operation of a program.

    Attributes:
        data: the bytes of the messages.
        program: the operations.
        rows: the position of each readable message in the input.
        slots: by operation: number, bits of a float, position of a text, branch or item count.
        sizes: by operation: bytes of a text.
        missing: by operation: whether the entry was not written.
        faults: (position, reason) of the unreadable messages.
    """

    data: Octets
    program: Program
    rows: Int64s
    slots: dict[int, Int64s]
    sizes: dict[int, Int64s]
    missing: dict[int, Any]
    faults: list[tuple[int, str]]

    @cached_property
    def _owners(self) -> dict[int, Int64s]:
        return {0: np.arange(len(self.rows))}

    def owners(self, domain: int) -> Int64s:
        """The index into `rows` of the message of each item of a domain."""
        if domain not in self._owners:
            op = self.program.owners[domain]
            outer = self.owners(self.program.nodes[op].domain)
            self._owners[domain] = np.repeat(outer, self.slots[op])
        return self._owners[domain]

    def count(self, domain: int) -> int:
        """The number of items of a domain."""
        return len(self.rows) if domain == 0 else len(self.owners(domain))
