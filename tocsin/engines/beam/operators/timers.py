"""Timers that fire later than they hold the watermark, so that a job that catches up releases much at a time."""

from __future__ import annotations

from typing import Any

from apache_beam.runners.worker.bundle_processor import OutputTimer
from apache_beam.transforms import userstate


def set_timer(timer: Any, fire: Any, hold: Any) -> None:
    """Set an event-time timer that holds the watermark at an earlier time than it fires.

    Beam's model has that (output timestamps of timers), its Python SDK sets both to one time; this says it in the SDK's words.
    """
    if not isinstance(timer, OutputTimer):
        timer.set(hold)
        return
    message = userstate.Timer(
        user_key=timer._key, dynamic_timer_tag="", windows=(timer._window,), clear_bit=False, fire_timestamp=fire,
        hold_timestamp=hold, paneinfo=timer._paneinfo,
    )  # fmt: skip
    timer._timer_coder_impl.encode_to_stream(message, timer._output_stream, True)
    timer._output_stream.maybe_flush()
