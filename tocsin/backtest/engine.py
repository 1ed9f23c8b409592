"""The steps of a job in this process, without a runner: the same objects that a runner calls."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from tocsin.backtest.recording import Recording
from tocsin.compiler.job import Job, Step
from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import FOREVER
from tocsin.parts.operator import Memory, Operator
from tocsin.parts.sink import Sink
from tocsin.parts.source import Source
from tocsin.parts.stateful_step import StatefulStep
from tocsin.parts.transform import Transform
from tocsin.steps.state.release_times import RELEASE
from tocsin.steps.state.union import united

Outputs = dict[tuple[str, str], list[pa.RecordBatch]]

_THREADS, _AHEAD = 4, 3
"""Number of threads, and of batches that run at a time."""


class _Shard:
    """What a runner keeps of one shard."""

    def __init__(self) -> None:
        self.state: list[bytes] = []
        self.log: list[pa.RecordBatch] = []
        self.memory: Memory = {}
        self.due: int | None = None


class _Stateful:
    """A step with state, and its shards."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.shards: dict[int, _Shard] = defaultdict(_Shard)

    def take(self, batch: pa.RecordBatch) -> None:
        for number, part in self.operator.route(batch).by_shard:
            shard, due = self.shards[number], self.operator.due(part)
            shard.log.append(part)
            if due is not None:
                shard.due = due if shard.due is None else min(due, shard.due)

    def advance(self, time: int, end: int | None) -> list[tuple[str, pa.RecordBatch]]:
        found: list[tuple[str, pa.RecordBatch]] = []
        for _, shard in sorted(self.shards.items()):
            is_due = shard.due is not None and shard.due <= time
            if not (is_due or time >= FOREVER or (self.operator.eager and shard.log)):
                continue
            advanced = self.operator.advance(shard.state, shard.log, time, end, shard.memory)
            shard.state, shard.due = advanced.state, advanced.due
            shard.log = shard.log if advanced.log is None else list(advanced.log)
            found += advanced.outputs
        return found


class Engine:
    """Runs the steps of a job that some outputs need on a recording. Sinks write nothing."""

    def __init__(self, job: Job, wanted: set[tuple[str, str]]) -> None:
        self.job = job
        self.wanted = wanted
        names = {name for name, _ in wanted}
        for step in reversed(job.steps):
            if step.name in names:
                names |= {source for _, (source, _) in step.sources()}
        self.steps = [step for step in job.steps if step.name in names]
        self._stateful: dict[str, _Stateful] = {}
        for step in self.steps:
            if step.part is None:
                raise Failure(
                    f"'{step.name}' is a stock Beam transform, which only a runner can run"
                )
            if isinstance(step.part, StatefulStep) and step.schema is not None:
                part = self._narrowed(step, step.part).in_one_shard()
                operator = part.operator(self._schema(step), f"{job.name}/{step.name}")
                operator.unread = frozenset(
                    name for name in operator.outputs if not self._is_read((step.name, name))
                )
                self._stateful[step.name] = _Stateful(operator)

    def _schema(self, step: Step) -> Any:
        """Schema of the step's input: an aggregation may have left out columns."""
        sources = step.sources()
        before = None if step.is_united or not sources else self._stateful.get(sources[0][1][0])
        return before.operator.outputs[sources[0][1][1]] if before is not None else step.schema

    def _is_read(self, output: tuple[str, str]) -> bool:
        """Whether the caller or another step reads an output."""
        return output in self.wanted or any(
            output == source for step in self.steps for _, source in step.sources()
        )

    def _narrowed(self, step: Step, part: StatefulStep) -> StatefulStep:
        """The part without the columns that no step of the backtest reads."""
        output = (step.name, "output")
        readers = [one.part for one in self.steps if output in [of for _, of in one.sources()]]
        columns = [one.columns_read() if isinstance(one, StatefulStep) else None for one in readers]
        if output in self.wanted or None in columns:
            return part
        return part.narrowed({name for one in columns if one is not None for name in one})

    def source_for(self, path: str) -> tuple[str, Recording]:
        """The first source whose columns the recording has. Raises Failure."""
        sources = [step for step in self.steps if isinstance(step.part, Source)]
        failures = [Failure("the job reads nothing that leads to an alarm")]
        for step in sources:
            assert isinstance(step.part, Source)
            try:
                return step.name, Recording(path, step.part)
            except Failure as failure:
                failures.append(failure)
        raise failures[-1]

    def run(self, path: str) -> Outputs:
        """The rows of the wanted outputs, by step and output."""
        source, recording = self.source_for(path)
        found: Outputs = {one: [] for one in self.wanted}
        passes: list[dict[str, Future[Outputs]]] = []
        with ThreadPoolExecutor(_THREADS) as threads:
            for batch, time in recording.batches():
                self._pass(
                    passes, threads, {(source, "output"): [batch]}, time // RELEASE * RELEASE, None
                )
                self._gather(passes, found, _AHEAD)
            if len(recording.times):
                self._pass(passes, threads, {}, FOREVER, int(recording.times[-1]))
            self._gather(passes, found, 0)
        return found

    def _pass(
        self,
        passes: list[dict[str, Future[Outputs]]],
        threads: ThreadPoolExecutor,
        given: Outputs,
        time: int,
        end: int | None,
    ) -> None:
        """Send one batch through all steps.

        A step waits for its inputs and for its own work on the batch before. Both were submitted
        earlier, so some of the threads always work.
        """
        before = passes[-1] if passes else {}
        now: dict[str, Future[Outputs]] = {}
        for step in self.steps:
            if not isinstance(step.part, Source | Sink):
                awaited = [now[name] for _, (name, _) in step.sources() if name in now]
                awaited += [before[step.name]] if step.name in before else []
                now[step.name] = threads.submit(self._work, step, given, awaited, time, end)
        passes.append(now)

    def _gather(self, passes: list[dict[str, Future[Outputs]]], found: Outputs, ahead: int) -> None:
        """Collect wanted outputs of all passes except the last `ahead` ones, which still run."""
        while len(passes) > ahead:
            for future in passes.pop(0).values():
                for one, batches in future.result().items():
                    if one in found:
                        found[one] += batches

    def _work(
        self, step: Step, given: Outputs, awaited: list[Future[Outputs]], time: int, end: int | None
    ) -> Outputs:
        """Run one step on the rows that are there for it."""
        here = dict(given)
        for future in awaited:
            here |= {one: rows for one, rows in future.result().items() if one[0] != step.name}
        stateful = self._stateful.get(step.name)
        outputs: Outputs = defaultdict(list)
        if stateful is not None:
            for rows in self._given(step, here):
                stateful.take(rows)
            for name, rows in stateful.advance(time, end):
                outputs[step.name, name].append(rows)
            return outputs
        assert isinstance(step.part, Transform)
        for rows in self._given(step, here):
            kept = step.part.apply(rows).kept
            if kept.num_rows:
                outputs[step.name, "output"].append(
                    pa.RecordBatch.from_arrays(kept.columns, schema=step.outputs["output"])
                )
        return outputs

    def _given(self, step: Step, here: Outputs) -> list[pa.RecordBatch]:
        """The rows of the step's inputs as one batch, or nothing."""
        batches = [
            (side, batch)
            for side, source in step.sources()
            for batch in here.get(source, [])
            if batch.num_rows
        ]
        if step.is_united:
            batches = [(side, united(batch, side, step.schema)) for side, batch in batches]
        if not batches:
            return []
        schema = self._schema(step)
        return [
            pa.concat_batches(
                [batch.replace_schema_metadata(schema.metadata) for _, batch in batches]
            )
        ]


def alarm_outputs(job: Job) -> set[tuple[str, str]]:
    """The outputs with alarms: those that the job writes to topics, else all."""
    written = {
        source for step in job.steps if step.type == "WriteAlarms" for _, source in step.sources()
    }
    return written or {(step.name, "alarms") for step in job.steps if "alarms" in step.outputs}
