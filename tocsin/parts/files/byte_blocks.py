"""The bytes of a file in blocks, decompressed if its name ends in .gz."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from tocsin.foundation.sandbox import pinned

BLOCK = 1 << 20


class DamagedFileError(ValueError):
    """The rest of a compressed file cannot be read."""


def blocks(path: str, size: int = BLOCK) -> Iterator[bytes]:
    """The file in blocks of `size` bytes; the last one may be smaller.

    Raises:
        OSError: if the file cannot be opened, or the disk fails.
        DamagedFileError: if its compression is damaged or ends too early.
    """
    with pinned(path) as opened, Path(opened).open("rb") as file:
        stream = gzip.GzipFile(fileobj=file) if path.endswith(".gz") else file
        while True:
            try:
                block = stream.read1(size)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise DamagedFileError(f"the rest of the file is not readable: {error}") from None
            if not block:
                return
            yield block


def count_of_lines(path: str) -> int:
    """The number of lines. Damage counts as one line, which becomes a reject."""
    lines, last = 0, b"\n"
    try:
        for block in blocks(path):
            lines += block.count(b"\n")
            last = block[-1:]
    except DamagedFileError:
        return lines + 1 + (last != b"\n")
    return lines + (last != b"\n")
