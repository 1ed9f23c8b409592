"""Damaged copies of a file."""

from __future__ import annotations

import random


def damaged(content: bytes, draw: random.Random) -> bytes:
    """A copy with one to four bytes that may be others; three in ten may end anywhere."""
    octets = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        octets[draw.randrange(len(octets))] = draw.randrange(256)
    end = draw.randint(0, len(octets)) if draw.random() < 0.3 else len(octets)
    return bytes(octets[:end])
