"""When rows and results are available."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.steps.state.release_times import result_available_at


def test_a_revision_is_available_after_the_lateness_and_a_first_result_at_once() -> None:
    times, revisions = np.array([10, 10, 10], np.int64), pa.array([0, 1, 2], pa.int32())
    assert result_available_at(times, revisions, 7).tolist() == [10, 17, 17]
