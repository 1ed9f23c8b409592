"""A warning if most event times of a source lie outside the years 2000 to 2100."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import BEGINNING, Int64s
from tocsin.kernels.time.event_times import is_number
from tocsin.kernels.time.likely_unit import EXPECTED, confusion, likely_unit

SOURCE_LOG = "tocsin.source"
"""The logger of what a source finds in its data."""
_LOG = logging.getLogger(SOURCE_LOG)
# Readings before the first judgement. The end of the input is judged, too.
ENOUGH = 1_000


class TimeRangeWatch:
    """Counts the event times of a step on this worker, and warns once."""

    def __init__(self, step: str, column: str, unit: str | None) -> None:
        self._step, self._column, self._unit = step, column, unit
        self._seen = self._outside = 0
        self._hint: tuple[str, str] | None = None
        self._has_warned = False

    def add(self, column: Any, times: Int64s) -> None:
        """Count a batch: its event time column, and the times in microseconds."""
        if self._has_warned or not len(times):
            return
        present = column.is_valid().to_numpy(zero_copy_only=False)
        outside = present & ((times < EXPECTED[0]) | (times >= EXPECTED[1]))
        self._seen += int(present.sum())
        self._outside += int(outside.sum())
        if self._hint is None and outside.any():
            self._hint = self._explained(column, times, np.flatnonzero(outside))
        if self._seen >= ENOUGH:
            self.judge()

    def judge(self) -> None:
        """Warn if most of the times so far are outside."""
        if self._has_warned or self._outside * 2 <= self._seen or self._hint is None:
            return
        self._has_warned = True
        example, hint = self._hint
        _LOG.warning(
            "%s: most event times lie outside the years 2000 to 2100, such as %s; %s",
            self._step,
            example,
            hint,
        )

    def _explained(self, column: Any, times: Int64s, rows: Int64s) -> tuple[str, str]:
        """An example of the times, and what is probably wrong."""
        middle = int(rows[len(rows) // 2])
        time = int(times[middle])
        if is_number(column.type):
            value = column[middle].as_py()
            example = str(value) if time <= BEGINNING else _day(time)
            likely = likely_unit(float(value))
            if likely is not None and likely != self._unit:
                return example, f"'{self._column}' seems to hold {likely}, not {self._unit}"
            return example, f"check the unit of '{self._column}'"
        example = "text that is no time" if time <= BEGINNING else _day(time)
        mixed = confusion(time) if pa.types.is_timestamp(column.type) else None
        if mixed is not None:
            return example, f"the numbers of '{self._column}' seem to be {mixed}"
        return example, f"check the unit and the clock of '{self._column}'"


def _day(time: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).strftime("%Y-%m-%d")
