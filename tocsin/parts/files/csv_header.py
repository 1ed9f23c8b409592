"""The first record of a CSV file: the names of its columns, and the delimiter between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tocsin.kernels.avro.types import Leaf
from tocsin.kernels.csv.cells import FAULTS, SMALL, Records, records
from tocsin.parts.files.byte_blocks import DamagedFileError, blocks

DELIMITERS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
"""The delimiters that are looked for, and their names in sentences."""
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Header:
    """The columns of a file.

    Attributes:
        delimiter: one character.
        names: the columns, in order.
        end: the first byte after the header.
        lines: the number of lines up to there.
    """

    delimiter: str
    names: list[str]
    end: int
    lines: int

    def shown(self) -> str:
        """The delimiter and the columns in a sentence."""
        name = DELIMITERS.get(self.delimiter, f"'{self.delimiter}'")
        return f"with the delimiter {name} (columns: {', '.join(self.names)})"

    def why_not_whole(self, found: Records, at: int) -> str:
        """Why a record is faulty, or how its number of cells differs from the header's."""
        if found.faults[at]:
            return FAULTS[found.faults[at]]
        width = len(self.names)
        return f"it has {found.counts[at]} cells, and the header has {width} {self.shown()}"


def header_of(path: str, wanted: set[str], delimiter: str | None = None) -> Header:
    """The header of a file.

    Args:
        path: the file.
        wanted: names that the header may have.
        delimiter: one character, or None for the one that gives most of the wanted names.

    Raises:
        ValueError: with the file and the line, if there is no header in UTF-8.
    """
    head = _head(path)
    if delimiter is not None:
        return _read(path, head, delimiter)
    found = []
    for one in DELIMITERS:
        try:
            found.append(_read(path, head, one))
        except ValueError:
            continue
    if not found:
        return _read(path, head, ",")
    # The first of equals: a comma before the others.
    return max(found, key=lambda header: (len(wanted & set(header.names)), len(header.names)))


def named(leaf: Leaf, names: list[str]) -> int | None:
    """The position of a leaf's column, by its name, its path with dots or an alias; or None."""
    paths = [leaf.path, *leaf.aliases]
    for name in (text for path in paths for text in ("_".join(path), ".".join(path))):
        if name in names:
            return names.index(name)
    return None


def _head(path: str) -> bytes:
    head = b""
    try:
        for block in blocks(path):
            head += block
            if len(head) >= SMALL:
                break
    except DamagedFileError:
        pass
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from None
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError(f"{path}:1: the file is in UTF-16; write it in UTF-8")
    return head[:SMALL]


def _read(path: str, head: bytes, delimiter: str) -> Header:
    start = len(_MARK) if head.startswith(_MARK) else 0
    data = np.frombuffer(head or b"\0", np.uint8)[: len(head)]
    found = records(data, start, ord(delimiter), 1, is_last=True)
    if found.end == SMALL:
        raise ValueError(f"{path}:1: the header is longer than {SMALL:,} bytes")
    if not len(found):
        raise ValueError(f"{path}:1: the file has no header")
    if found.faults[0]:
        raise ValueError(f"{path}:{found.lines[0] + 1}: the header: {FAULTS[found.faults[0]]}")
    names = []
    for at, size in zip(found.cell_starts.tolist(), found.cell_sizes.tolist(), strict=True):
        try:
            names.append(head[at : at + size].decode().replace('""', '"').strip())
        except UnicodeDecodeError:
            raise ValueError(f"{path}:1: the header is not in UTF-8") from None
    return Header(delimiter, names, found.end, found.line)
