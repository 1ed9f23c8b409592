"""Whether bytes are UTF-8.

Source: RFC 3629.
"""

from __future__ import annotations

import numpy as np

from tocsin.kernels.avro.byte_strings import Octets
from tocsin.kernels.compiled import kernel


@kernel
def is_utf_8(data: Octets, at: int, end: int) -> bool:
    """Whether the bytes from `at` up to `end` are UTF-8."""
    # Most texts are ASCII. A loop without branches uses vector instructions.
    every = np.uint8(0)
    for i in range(np.uint64(end - at)):
        every |= data[np.uint64(at) + np.uint64(i)]
    if every < 128:
        return True
    while at < end:
        head = data[at]
        low, high, more = 128, 191, 0
        if head >= 128:
            if head >= 194 and head <= 223:
                more = 1
            elif head >= 224 and head <= 239:
                more = 2
                low, high = (160 if head == 224 else 128), (159 if head == 237 else 191)
            elif head >= 240 and head <= 244:
                more = 3
                low, high = (144 if head == 240 else 128), (143 if head == 244 else 191)
            else:
                return False
        if at + more >= end and more > 0:
            return False
        for i in range(1, more + 1):
            if data[at + i] < low or data[at + i] > high:
                return False
            low, high = 128, 191
        at += 1 + more
    return True
