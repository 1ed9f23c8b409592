"""The one place where a failure of a whole batch is traced to its messages.

Decoders mark what they know to be unreadable. Whatever else fails, such as a conversion that nobody
foresaw or memory, ends here as a fault of the message that causes it. The others become rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Int64s, no_rows

# Bad messages arrive in bursts. Halving the batch repeatedly costs more than fixed chunks.
_CHUNK = 64
_LONGEST_REASON = 240


@dataclass(frozen=True)
class Decoded:
    """Decoded values.

    Attributes:
        batch: the reader's columns.
        rows: the position of each row's value in the input.
        faults: (position, reason) of each value that could not be decoded.
    """

    batch: pa.RecordBatch
    rows: Int64s
    faults: list[tuple[int, str]]


def total(count: int, schema: pa.Schema, decode: Callable[[Int64s], Decoded]) -> Decoded:
    """Decode `count` messages. A failure becomes a fault of the messages that cause it.

    Args:
        count: the number of messages.
        schema: the columns.
        decode: decodes the messages at some positions. `rows` and `faults` of its result count
            within these positions.
    """
    everything = np.arange(count)
    try:
        return decode(everything)
    except Exception:  # noqa: BLE001 - any failure of one message must not end the job
        chunks = [everything[at : at + _CHUNK] for at in range(0, count, _CHUNK)]
    pieces: list[pa.RecordBatch] = []
    rows: list[Int64s] = []
    faults: list[tuple[int, str]] = []
    for chunk in chunks:
        for part in _readable(chunk, decode, faults):
            positions, decoded = part
            pieces.append(decoded.batch)
            rows.append(positions[decoded.rows])
            faults += [(int(positions[at]), reason) for at, reason in decoded.faults]
    batch = pa.concat_batches(pieces) if pieces else no_rows(schema)
    owners = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    return Decoded(batch, owners, sorted(faults))


def _readable(
    chunk: Int64s, decode: Callable[[Int64s], Decoded], faults: list[tuple[int, str]]
) -> list[tuple[Int64s, Decoded]]:
    """The chunk decoded, in one piece or message by message; failures are added to `faults`."""
    try:
        return [(chunk, decode(chunk))]
    except Exception:  # noqa: BLE001 - see `total`
        found = []
    for at in range(len(chunk)):
        one = chunk[at : at + 1]
        try:
            found.append((one, decode(one)))
        except Exception as error:  # noqa: BLE001 - see `total`
            faults.append((int(one[0]), sentence(error)))
    return found


def sentence(error: BaseException) -> str:
    """The reason of a fault, from an error of a decoder."""
    lines = str(error).splitlines()
    return unreadable(lines[0] if lines else type(error).__name__)


def unreadable(reason: str) -> str:
    """The reason of a fault, with what it means first."""
    return f"not readable with its schema: {reason[:_LONGEST_REASON]}"
