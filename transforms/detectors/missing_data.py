"""A sensor that falls silent."""

from __future__ import annotations

from pydantic import model_validator

from tocsin.api.detector import Detector, Duration, Floats, Param, Recurrence, format_duration


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    return 0.0, float("nan")


class MissingData(Detector):
    """A sensor that falls silent: no reading for a time. A null reading is no reading.

    The alarm starts at the last reading plus that time, in event time, whether or not the sensor ever speaks again, and is
    cleared by its next reading. The end of a bounded input is not silence.

    `feed_after`: when no sensor at all has spoken for so long, one alarm (detector `feed_silence`, key `feed`) tells of it; while
    it lasts no sensor falls silent, and when the feed returns each has the whole time again. Detect's `sensors`: a sensor of
    that table that has never spoken is an alarm of its own (detector `never_seen`).
    """

    after: Duration = Param(help="time without a reading", examples=["10 min"])
    feed_after: Duration | None = Param(
        None, help="time without a reading of any sensor; shorter than `after`"
    )

    @model_validator(mode="after")
    def _feed_first(self) -> MissingData:
        if self.feed_after is not None and not 0 < self.feed_after < self.after:
            raise ValueError(
                f"`feed_after` is {format_duration(self.feed_after)}; shorter than `after` ({format_duration(self.after)}), "
                "so that an outage of the feed is told of before its sensors are"
            )
        return self

    start = (0.0,)
    step = Recurrence(_step)

    def silence_after(self) -> int | None:
        return self.after

    def feed_silence_after(self) -> int | None:
        return self.feed_after

    def expectation(self, expected: float) -> str:
        return f"a reading at least every {format_duration(self.after)}"

    examples = [({"after": "10 min"}, [1.0, 2.0], [0.0, 0.0])]
