"""Files with one JSON value a line."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.kernels.avro.avro_file import FilePiece, lost_piece
from tocsin.kernels.avro.json_decoder import JsonDecoder
from tocsin.kernels.avro.types import Leaf
from tocsin.parts.files.byte_blocks import DamagedFileError, blocks


def json_lines_file(path: str, leaves: list[Leaf], rows: int) -> Iterator[FilePiece]:
    """The lines of a file in the columns of a schema, in pieces of at most `rows` lines.

    An unreadable line is a fault. Damage of a compressed file is one fault.

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
        if line is not None:
            lines.append(line)
        if lines and (line is None or len(lines) == rows):
            yield FilePiece(decoder.decode(lines), lines, len(lines))
            lines = []
        if line is None:
            break
    if damage:
        yield lost_piece(decoder.schema, damage)


def _lines(path: str) -> Iterator[bytes]:
    rest = b""
    for block in _blocks_or_damage(path):
        if isinstance(block, DamagedFileError):
            if rest:
                yield rest.rstrip(b"\r")
            raise block
        *whole, rest = (rest + block).split(b"\n")
        yield from (line.rstrip(b"\r") for line in whole)
    if rest:
        yield rest.rstrip(b"\r")


def _blocks_or_damage(path: str) -> Iterator[bytes | DamagedFileError]:
    try:
        yield from blocks(path)
    except DamagedFileError as error:
        yield error
