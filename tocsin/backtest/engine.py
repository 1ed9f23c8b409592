"""The steps of a job on a recording: the embedded engine, without sinks."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from tocsin.backtest.recording import Recording
from tocsin.compiler.job import Job
from tocsin.engines.embedded.assembly import Output, assemble, leave_out_unread
from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.rounds import Rounds
from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import BEGINNING, FOREVER
from tocsin.parts.source import Source

Outputs = dict[Output, list[pa.RecordBatch]]


class RecordingReader:
    """A recording in place of a source. Without one, a source that has ended and has no rows."""

    def __init__(self, name: str, recording: Recording | None) -> None:
        self.name = name
        self.watermark = FOREVER if recording is None else BEGINNING
        self.end: int | None = None
        self._batches = iter(()) if recording is None else recording.batches()

    def read(self, most: int) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The next batch. The recording is in order, so its time is that of the next one."""
        found = next(self._batches, None)
        if found is None:
            self.watermark = FOREVER
            return
        rows, self.watermark = found
        self.end = self.watermark
        yield "output", rows

    def close(self) -> None:
        """Nothing is open."""


class Engine:
    """Runs the steps of a job that some outputs need on a recording. Sinks write nothing."""

    def __init__(self, job: Job, wanted: set[Output]) -> None:
        self.wanted = wanted
        self._counts = Counts()
        self._assembly = assemble(job, self._counts, only=wanted)
        leave_out_unread(self._assembly, wanted)

    def source_for(self, path: str) -> tuple[str, Recording]:
        """The first source whose columns the recording has. Raises Failure."""
        failures = [Failure("the job reads nothing that leads to an alarm")]
        for name, source in self._assembly.sources.items():
            assert isinstance(source, Source)
            try:
                return name, Recording(path, source)
            except Failure as failure:
                failures.append(failure)
        raise failures[-1]

    def run(self, path: str) -> Outputs:
        """The rows of the wanted outputs, by step and output."""
        name, recording = self.source_for(path)
        readers = [
            RecordingReader(source, recording if source == name else None)
            for source in self._assembly.sources
        ]
        rounds = Rounds(self._assembly, readers, self._counts, self.wanted)
        while not rounds.has_ended:
            rounds.play(1)
        return {one: rounds.seen[one] for one in self.wanted}


def alarm_outputs(job: Job) -> set[Output]:
    """The outputs with alarms: those that the job writes to topics, else all."""
    written = {
        source for step in job.steps if step.type == "WriteAlarms" for _, source in step.sources()
    }
    return written or {(step.name, "alarms") for step in job.steps if "alarms" in step.outputs}
