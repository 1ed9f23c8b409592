"""Sinks: output in named units. A retry writes a whole unit again, with the same rows and name."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
from pydantic import PrivateAttr

from tocsin.foundation.faults import Fault
from tocsin.foundation.target_change import TargetChange
from tocsin.parts.part import Part


class Sink(Part):
    """A part that writes batches.

    The framework calls `write` once for each unit, and again with the same rows and name to retry.
    A sink that groups rows into files gives a `file_span`. Names of its units contain the time,
    shard and revision of their rows. Other sinks get batches as they arrive, with the unit ''.
    """

    takes: ClassVar[tuple[str, ...]] = ()
    # The framework sets it.
    _step_name: str = PrivateAttr("")
    _run: str = PrivateAttr("")

    @property
    def step_name(self) -> str:
        """Job and step, as `job/step`. A restart of the job does not change it."""
        return self._step_name

    def set_step_name(self, name: str) -> None:
        """Say which step it is. The framework calls it before the first write."""
        self._step_name = name

    @property
    def run(self) -> str:
        """The id of a run that ends with its input, or '' for a live job.

        A restart within the run does not change it; each further run has another.
        """
        return self._run

    def set_run(self, run: str) -> None:
        """Say which run it is. The framework calls it before the first write."""
        self._run = run

    def check_schema(self, schema: pa.Schema) -> None:
        """Check that the sink can write rows of the schema.

        Raises:
            Fault: if it cannot.
        """
        missing = [name for name in self.takes if name not in schema.names]
        if missing:
            raise Fault(
                f"takes rows with the columns {', '.join(self.takes)}; "
                f"its input lacks {', '.join(missing)}"
            )

    def file_span(self) -> int | None:
        """Event time in one unit, microseconds and at least a second, or None for no files."""
        return None

    def is_by_arrival(self) -> bool:
        """Whether arrival watermarks split rows into units. If not, event time does.

        By arrival, no row is late.
        """
        return False

    def unit_shards(self) -> int:
        """The number of units in one span of time."""
        return 1

    def check_target(self) -> None:
        """Check, before the job runs, that the target accepts writes.

        Raises:
            Failure: if it does not.
        """

    def target_changes(self, schema: pa.Schema) -> list[TargetChange]:
        """What a run does to a target that exists already, for `tocsin plan --diff`.

        schema: of the input. Raises Failure where the target cannot be read.
        """
        return []

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        """Write one unit.

        Args:
            batch: rows of the unit.
            unit: name of the unit, or ''.

        Raises:
            Failure: if the unit is not written.
        """
        raise NotImplementedError

    def flush(self) -> None:
        """Wait until all written units are durable.

        Raises:
            Failure: if one is not.
        """

    def end(self, shard: int) -> None:
        """Note that a shard has read its whole input. The framework calls it after the last flush.

        Args:
            shard: number of the shard, as in the names of its units.

        Raises:
            Failure: if the target does not take the note.
        """
