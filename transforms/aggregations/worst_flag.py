"""The worst quality flag of a window."""

from typing import ClassVar

import numpy as np
import pyarrow as pa

from tocsin.api.aggregation import Aggregation, Column, accumulator, flag_of, weight_of


class WorstFlag(Aggregation):
    """Roll-up of QARTOD flags: fail 4 over suspect 3 over good 1 over not tested 2 over missing 9.

    9 without a flag.
    """

    result: ClassVar[object] = pa.int8()
    greatest = accumulator("max", lambda _self, x: _weights(x))

    def finish(self, greatest: Column) -> Column:
        return pa.array(flag_of(greatest.fill_null(0.0).to_numpy().astype(np.int8)))

    examples = [({}, [1.0, 2.0, 3.0, None], 3), ({}, [9.0, 2.0, 1.0], 1), ({}, [], 9)]


def _weights(flags: Column) -> Column:
    valid = flags.is_valid().to_numpy(zero_copy_only=False)
    known = flags.cast(pa.float64()).fill_null(9.0).to_numpy()
    valid &= np.isin(known, (1, 2, 3, 4, 9))
    return pa.array(
        weight_of(np.where(valid, known, 9).astype(np.int8)).astype(np.float64), mask=~valid
    )
