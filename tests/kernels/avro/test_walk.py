"""Numbers and blocks that are damaged: every loop that reads them gives the same reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kernels.avro.fuzz import array, record
from tocsin.kernels.avro.byte_strings import ByteStrings
from tocsin.kernels.avro.decode import Decoder

TOO_LONG = [b"\xff" * 10, b"\xff" * 9 + b"\x02", b"\x80" * 9 + b"\x82\x00", b"\x80" * 12]
FITS = {
    b"\xff" * 9 + b"\x01": -(2**63),
    b"\xfe" + b"\xff" * 8 + b"\x01": 2**63 - 1,
    b"\x80" * 8 + b"\x00": 0,
    b"\x80" * 9 + b"\x01": 2**62,
}
# The second is read by the walker, because of its array.
SCHEMAS = {
    "plain": record("R", ("x", "long")),
    "nested": record("R", ("x", "long"), ("more", array("long"))),
}


def decode(kind: str, datum: bytes) -> Any:
    text = json.dumps(SCHEMAS[kind])
    return Decoder(SCHEMAS[kind], text).decode(ByteStrings.of([datum]))


@pytest.mark.parametrize("kind", SCHEMAS)
@pytest.mark.parametrize("octets", TOO_LONG, ids=bytes.hex)
def test_a_number_of_more_than_64_bits_says_so(kind: str, octets: bytes) -> None:
    ((_, why),) = decode(kind, octets + b"\x00" * 4).faults
    assert why.endswith("the number in 'x' is too long")


@pytest.mark.parametrize("kind", SCHEMAS)
@pytest.mark.parametrize("size", range(1, 10))
def test_a_number_that_ends_early_says_that_the_message_does(kind: str, size: int) -> None:
    ((_, why),) = decode(kind, b"\x80" * size).faults
    assert why.endswith("it ends within 'x'")


@pytest.mark.parametrize("octets", FITS, ids=bytes.hex)
def test_every_number_of_64_bits_is_read(octets: bytes) -> None:
    for kind, rest in (("plain", b""), ("nested", b"\x00")):
        decoded = decode(kind, octets + rest)
        assert (decoded.faults, decoded.batch.column("x").to_pylist()) == ([], [FITS[octets]])


def blocks(*octets: bytes) -> tuple[Any, list[str]]:
    decoded = decode("nested", b"\x02" + b"".join(octets))
    rows = decoded.batch.column("more").to_pylist() if len(decoded.rows) else None
    return rows, [why for _, why in decoded.faults]


def test_a_block_may_say_its_size() -> None:
    """A negative count is followed by the size of the block in bytes."""
    assert blocks(b"\x03", b"\x04", b"\x02\x04", b"\x00") == ([[1, 2]], [])
    assert blocks(b"\x02\x02", b"\x01\x02\x04", b"\x00") == ([[1, 2]], [])


@pytest.mark.parametrize("size", [b"\x01", b"\xff" * 9 + b"\x01"])
def test_a_block_of_a_negative_size_is_a_fault(size: bytes) -> None:
    rows, (why,) = blocks(b"\x03", size, b"\x02\x04", b"\x00")
    assert rows is None
    assert why.endswith("'more' has a negative length")


def test_a_count_without_a_positive_number_is_a_fault() -> None:
    rows, (why,) = blocks(b"\xff" * 9 + b"\x01", b"\x00", b"\x00")
    assert rows is None
    assert why.endswith("'more' has a negative length")
