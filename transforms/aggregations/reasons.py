"""Why a window's readings were flagged."""

from typing import ClassVar

import pyarrow as pa

from tocsin.api.aggregation import Aggregation, Column, accumulator


class Reasons(Aggregation):
    """Bits that any value has: for `flag_reasons`, the tests that some reading did not pass.

    0 without a value.
    """

    result: ClassVar[object] = pa.int64()
    bits = accumulator("bits")

    def finish(self, bits: Column) -> Column:
        return bits

    examples = [({}, [1.0, 4.0, 5.0, None], 5), ({}, [], 0)]
