"""Timers that fire later than they hold the watermark, so a job that catches up releases more."""

from __future__ import annotations

from typing import Any

from apache_beam.runners.worker.bundle_processor import OutputTimer
from apache_beam.transforms import userstate


def set_timer(timer: Any, fire: Any, hold: Any) -> None:
    """Set an event-time timer that holds the watermark at an earlier time than it fires.

    Beam's model has output timestamps of timers, but its Python SDK sets both times to one value.
    This function writes the timer message itself.
    """
    if not isinstance(timer, OutputTimer):
        timer.set(hold)
        return
    message = userstate.Timer(
        user_key=timer._key,  # noqa: SLF001 - the SDK has no public way to set two times
        dynamic_timer_tag="",
        windows=(timer._window,),  # noqa: SLF001
        clear_bit=False,
        fire_timestamp=fire,
        hold_timestamp=hold,
        paneinfo=timer._paneinfo,  # noqa: SLF001
    )
    stream = timer._output_stream  # noqa: SLF001
    timer._timer_coder_impl.encode_to_stream(message, stream, True)  # noqa: SLF001
    stream.maybe_flush()
