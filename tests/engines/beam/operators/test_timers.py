"""A timer may fire later than it holds the watermark."""

from __future__ import annotations

from typing import Any

import pytest
from apache_beam import coders
from apache_beam.coders.coders import _TimerCoder
from apache_beam.runners.worker.bundle_processor import OutputTimer
from apache_beam.runners.worker.data_plane import ClosableOutputStream
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.window import GlobalWindow, GlobalWindows
from apache_beam.utils import windowed_value
from apache_beam.utils.timestamp import Timestamp

from tocsin.engines.beam.operators.timers import set_timer


@pytest.mark.parametrize(("fire", "hold"), [(90, 60), (60, 60)])
def test_both_times_reach_the_runner(fire: int, hold: int) -> None:
    coder = _TimerCoder(coders.BytesCoder(), GlobalWindows().get_window_coder()).get_impl()
    sent_bytes: list[bytes] = []
    stream = ClosableOutputStream(sent_bytes.append)
    timer = OutputTimer(
        b"key",
        GlobalWindow(),
        Timestamp(1),
        windowed_value.PANE_INFO_UNKNOWN,
        TimeDomain.WATERMARK,
        "timer",
        coder,
        stream,
    )
    set_timer(timer, Timestamp(fire), Timestamp(hold))
    stream.close()
    sent = coder.decode(sent_bytes[0])
    assert (sent.user_key, sent.fire_timestamp, sent.hold_timestamp) == (
        b"key",
        Timestamp(fire),
        Timestamp(hold),
    )
    assert sent.clear_bit is False


def test_another_runners_timer_fires_when_its_hold_ends() -> None:
    class Timer:
        def __init__(self) -> None:
            self.times: list[Any] = []

        def set(self, time: Any) -> None:
            self.times.append(time)

    timer = Timer()
    set_timer(timer, Timestamp(90), Timestamp(60))
    assert timer.times == [Timestamp(60)]
