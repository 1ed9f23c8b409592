"""Files with one JSON value a line."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.kernels.avro.avro_file import FilePiece, lost_piece
from tocsin.kernels.avro.json_decoder import JsonDecoder
from tocsin.kernels.avro.types import Leaf
from tocsin.parts.files.byte_blocks import DamagedFileError, blocks

# A longer line is rejected. Its bytes are not kept, so a compressed file cannot fill the memory.
LONGEST_LINE = 1 << 26


def json_lines_file(path: str, leaves: list[Leaf], rows: int) -> Iterator[FilePiece]:
    """The lines of a file in the columns of a schema, in pieces of at most `rows` lines.

    An unreadable line is a fault, and so is one of more than `LONGEST_LINE` bytes. Damage of a
    compressed file is one fault.

    Raises:
        OSError: if the file cannot be opened, or the disk fails.
    """
    decoder = JsonDecoder(leaves)
    lines: list[bytes] = []
    damage = ""
    stream = _lines(path)
    while True:
        try:
            line = next(stream, None)
        except DamagedFileError as error:
            damage, line = str(error), None
        if isinstance(line, bytes):
            lines.append(line)
        if lines and (not isinstance(line, bytes) or len(lines) == rows):
            yield FilePiece(decoder.decode(lines), lines, len(lines))
            lines = []
        if isinstance(line, _TooLong):
            yield lost_piece(decoder.schema, f"the line is longer than {LONGEST_LINE >> 20} MiB")
        if line is None:
            break
    if damage:
        yield lost_piece(decoder.schema, damage)


class _TooLong:
    """In place of a line."""


def _lines(path: str) -> Iterator[bytes | _TooLong]:
    parts: list[bytes] = []
    size = 0
    for block in _blocks_or_damage(path):
        if isinstance(block, DamagedFileError):
            if size:
                yield _line(parts, size)
            raise block
        first, *others = block.split(b"\n")
        size += len(first)
        parts = [*parts, first] if size <= LONGEST_LINE else []
        if others:
            yield _line(parts, size)
            *whole, last = others
            yield from (_line([one], len(one)) for one in whole)
            parts, size = [last], len(last)
    if size:
        yield _line(parts, size)


def _line(parts: list[bytes], size: int) -> bytes | _TooLong:
    return b"".join(parts).rstrip(b"\r") if size <= LONGEST_LINE else _TooLong()


def _blocks_or_damage(path: str) -> Iterator[bytes | DamagedFileError]:
    try:
        yield from blocks(path)
    except DamagedFileError as error:
        yield error
