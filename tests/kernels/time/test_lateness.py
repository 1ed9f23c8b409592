import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.batch import BEGINNING
from tocsin.kernels.time.lateness import from_the_future, running_watermarks


@given(st.lists(st.integers(0, 1000), max_size=40), st.integers(0, 50), st.integers(0, 40))
def test_the_watermark_does_not_depend_on_batch_boundaries(
    times: list[int], out_of_orderness: int, cut: int
) -> None:
    array = np.array(times, np.int64)
    whole, end = running_watermarks(array, BEGINNING, out_of_orderness)
    first, middle = running_watermarks(array[:cut], BEGINNING, out_of_orderness)
    second, last = running_watermarks(array[cut:], middle, out_of_orderness)
    assert np.array_equal(whole, np.r_[first, second])
    assert end == last
    for at in range(len(times)):
        expected = max(times[:at]) - out_of_orderness if at else BEGINNING
        assert whole[at] == expected


def test_arrival_time_decides_what_is_in_the_future() -> None:
    times = np.array([100, 100, 100])
    received = np.array([89, 90, BEGINNING])
    assert from_the_future(times, received, 10).tolist() == [True, False, False]
