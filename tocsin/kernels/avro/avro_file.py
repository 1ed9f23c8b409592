"""Avro container files in the reader's columns, with the records that cannot be read as faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa

from tocsin.kernels.avro.byte_strings import ByteStrings
from tocsin.kernels.avro.decode import Decoder
from tocsin.kernels.avro.entries import MOST_EMPTY_ITEMS
from tocsin.kernels.avro.total import Decoded
from tocsin.kernels.avro.types import leaves, parse_schema
from tocsin.kernels.batch import no_rows


@dataclass(frozen=True)
class FilePiece:
    """Some records of a file.

    Attributes:
        decoded: the rows and the faults, by position in this piece.
        values: the bytes by position, at least those of the faults; empty where an earlier fault
            hides the beginning. None for a file whose records have no bytes of their own.
        count: the number of records or lines, or of faults in their place.
    """

    decoded: Decoded
    values: Sequence[bytes] | Mapping[int, bytes] | None
    count: int


def raw_avro_file(path: str, reader: str, rows: int) -> Iterator[FilePiece]:
    """The records of an Avro container file in the reader's columns.

    A file whose header or schema cannot be read is one fault, and so is the rest of a file that is
    damaged. After a faulty record, the rest of its block is faulty.

    Args:
        path: the file.
        reader: the reader schema as JSON.
        rows: records of each piece; the last one may have fewer.

    Raises:
        OSError: if the file cannot be opened.
    """
    with Path(path).open("rb") as stream:
        try:
            blocks = fastavro.block_reader(stream)
            decoder = Decoder(dict(blocks.writer_schema), reader)
        except Exception as error:  # noqa: BLE001 - fastavro raises many, and any file is allowed
            yield lost_piece(_schema(reader), f"the file is not readable: {_text(error)}")
            return
        pending = _Pending(decoder)
        try:
            for block in blocks:
                pending.add(block.bytes_.getvalue(), block.num_records)
                while pending.count >= rows:
                    yield pending.take(rows)
        except Exception as error:  # noqa: BLE001 - as above
            failure = f"the rest of the file is not readable: {_text(error)}"
        else:
            failure = ""
        while pending.count:
            yield pending.take(rows)
        if failure:
            yield lost_piece(_schema(reader), failure)


class _Pending:
    """Records that wait until a piece is full."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._values: list[bytes] = []
        # By position: records that have no bytes of their own, because one before is faulty.
        self._faults: list[tuple[int, str]] = []

    @property
    def count(self) -> int:
        """The number of records that wait."""
        return len(self._values)

    def add(self, block: bytes, count: int) -> None:
        """Add the records of a block."""
        if not 0 <= count <= len(block) + MOST_EMPTY_ITEMS:
            raise ValueError(f"a block of {len(block)} bytes claims {count} records")
        values, faults = self._decoder.walker.split(block, count)
        first = len(self._values)
        self._values += [*values.to_list(), *([b""] * (count - len(values)))]
        self._faults += [(first + at, why) for at, why in faults if at >= len(values)]

    def take(self, rows: int) -> FilePiece:
        """The first records, at most `rows`."""
        values, self._values = self._values[:rows], self._values[rows:]
        lost = {at: f"not readable: {why}" for at, why in self._faults if at < rows}
        self._faults = [(at - rows, why) for at, why in self._faults if at >= rows]
        known = np.array([at for at in range(len(values)) if at not in lost], np.int64)
        decoded = self._decoder.decode(ByteStrings.of([values[at] for at in known.tolist()]))
        faults = [(int(known[at]), why) for at, why in decoded.faults]
        whole = Decoded(decoded.batch, known[decoded.rows], sorted([*faults, *lost.items()]))
        return FilePiece(whole, values, len(values))


def lost_piece(schema: pa.Schema, reason: str) -> FilePiece:
    """A part of a file that cannot be read: one fault, and no row of a schema."""
    return FilePiece(Decoded(no_rows(schema), np.zeros(0, np.int64), [(0, reason)]), [b""], 1)


def _schema(reader: str) -> Any:
    return pa.schema(
        [pa.field(leaf.name, leaf.type, leaf.nullable) for leaf in leaves(parse_schema(reader))]
    )


def _text(error: Exception) -> str:
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:160]
