"""Sinks: units of output with names, each written whole, so that a retry writes the same again."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
from pydantic import PrivateAttr

from tocsin.foundation.faults import Fault
from tocsin.parts.part import Part


class Sink(Part):
    """Writes batches. `write` is called once a unit, and again with the same rows and name when a unit is retried.

    A sink that groups rows into files sets `file_span` to microseconds of event time, at least a second; its units are
    named by what they hold (time, shard, revision). Other sinks get batches as they come, with unit ''.
    """

    takes: ClassVar[tuple[str, ...]] = ()
    # Job and step, as `job/step`: the framework sets it.
    _step_name: str = PrivateAttr("")

    @property
    def step_name(self) -> str:
        """Job and step, as `job/step`: the same in every life of the job."""
        return self._step_name

    def check_schema(self, schema: pa.Schema) -> None:
        """Raises Fault where the input cannot be written."""
        missing = [name for name in self.takes if name not in schema.names]
        if missing:
            raise Fault(
                f"takes rows with the columns {', '.join(self.takes)}; its input lacks {', '.join(missing)}"
            )

    def file_span(self) -> int | None:
        """Microseconds of event time in one unit, or None."""
        return None

    def is_by_arrival(self) -> bool:
        """Whether units span the watermark that rows met, and not their event time: then no row is late."""
        return False

    def unit_shards(self) -> int:
        """Units of one span of time."""
        return 1

    def check_target(self) -> None:
        """Raises Failure, before anything runs, where the target cannot be written."""

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        """Write one unit. Raises Failure when it is not written."""
        raise NotImplementedError

    def flush(self) -> None:
        """Wait until all that was written is safe. Raises Failure when it is not."""
