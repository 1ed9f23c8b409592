"""A silent sensor."""

from __future__ import annotations

from math import nan

from pydantic import model_validator

from tocsin.api.detector import Detector, Duration, Param, SensorState, format_duration


class MissingData(Detector):
    """A silent sensor: no reading for a time. A null reading is no reading.

    The alarm starts at the last reading plus `after`, in event time, even if the sensor never
    reports again. The next reading clears it. The end of a bounded input is not silence. Every
    reading scores 0.

    `feed_after`: if no sensor reports for this time, one alarm (detector `feed_silence`, key
    `feed`) is raised. Until it is over, no sensor counts as silent; each has the whole time again
    when the feed returns. Detect's `sensors`: a sensor of that table that never reported has an
    alarm of its own (detector `never_seen`).

    Raises ValueError where `feed_after` is not shorter than `after`.
    """

    after: Duration = Param(help="time without a reading", examples=["10 min"])
    feed_after: Duration | None = Param(
        None, help="time without a reading of any sensor; shorter than `after`"
    )

    class State(SensorState):
        """Nothing. The number keeps the width of the state of jobs that run."""

        unused: float = 0.0

    @staticmethod
    def step(_x: float, _t: float, _parameters: MissingData, _state: State) -> tuple[float, float]:
        return 0.0, nan

    @model_validator(mode="after")
    def _feed_first(self) -> MissingData:
        if self.feed_after is not None and not 0 < self.feed_after < self.after:
            raise ValueError(
                f"`feed_after` is {format_duration(self.feed_after)}; "
                f"shorter than `after` ({format_duration(self.after)}), "
                "so that an outage of the feed is reported before its sensors are"
            )
        return self

    def silence_after(self) -> int | None:
        return self.after

    def feed_silence_after(self) -> int | None:
        return self.feed_after

    def expectation(self, expected: float) -> str:
        return f"a reading at least every {format_duration(self.after)}"

    examples = [({"after": "10 min"}, [1.0, 2.0], [0.0, 0.0])]
