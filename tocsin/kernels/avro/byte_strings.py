"""Byte strings in one buffer, without a Python object for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.kernels.batch import Int64s

Octets = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ByteStrings:
    """Byte strings as slices of one buffer.

    Attributes:
        data: the bytes.
        starts: the first position of each byte string in `data`.
        ends: the position after each byte string in `data`.
    """

    data: Octets
    starts: Int64s
    ends: Int64s

    @classmethod
    def of(cls, values: Sequence[bytes]) -> ByteStrings:
        """The byte strings of Python objects."""
        return cls.of_array(pa.array(values, pa.large_binary()))

    @classmethod
    def of_array(cls, array: pa.LargeBinaryArray) -> ByteStrings:
        """The byte strings of an Arrow array. Null gives an empty one."""
        _, offsets, data = array.buffers()
        bounds = (
            np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
            if offsets is not None
            else _NONE
        )
        octets = (
            np.frombuffer(data, np.uint8)
            if data is not None and data.size
            else np.zeros(0, np.uint8)
        )
        return cls(octets, bounds[:-1], bounds[1:])

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, rows: Int64s) -> ByteStrings:
        """The byte strings of some rows."""
        return ByteStrings(self.data, self.starts[rows], self.ends[rows])

    def without_head(self, size: int) -> ByteStrings:
        """The byte strings without their first `size` bytes."""
        return ByteStrings(self.data, self.starts + size, self.ends)

    def heads(self, size: int) -> Octets:
        """The first `size` bytes of each, shape (rows, size), filled with zeros after the end."""
        places = self.starts[:, None] + np.arange(size)
        inside = places < self.ends[:, None]
        if not len(self.data):
            return np.zeros(places.shape, np.uint8)
        found: Octets = np.where(inside, self.data[np.minimum(places, len(self.data) - 1)], 0)
        return found

    def to_list(self) -> list[bytes]:
        """The byte strings as Python objects."""
        data = self.data.tobytes()
        return [
            data[start:end]
            for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        ]


_NONE = np.zeros(1, np.int64)
