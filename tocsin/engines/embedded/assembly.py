"""From a checked job to the nodes that run it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tocsin.compiler.job import Job, Step
from tocsin.compiler.lower import configuration
from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.keyed_node import KeyedNode
from tocsin.engines.embedded.nodes import Node, SinkNode, TransformNode
from tocsin.foundation.failure import Mistake
from tocsin.parts.part import Part
from tocsin.parts.registry import load
from tocsin.parts.sink import Sink
from tocsin.parts.source import REJECTS_SCHEMA, Source
from tocsin.parts.stateful_step import StatefulStep
from tocsin.parts.transform import Transform
from tocsin.steps.catalogue import step_types
from tocsin.steps.state.union import united_schema
from tocsin.steps.write_files.file_operator import FileOperator

Output = tuple[str, str]
"""A step and the name of one of its outputs."""


@dataclass(frozen=True)
class Place:
    """A node and where its rows come from.

    inputs: the name of each input and the output that it reads. schema: of all inputs together.
    is_united: whether rows must be converted to this schema.
    """

    node: Node
    inputs: list[tuple[str, Output]]
    schema: pa.Schema
    is_united: bool


@dataclass(frozen=True)
class Assembly:
    """A job that can run. places: in an order in which each step comes after its inputs."""

    job: Job
    sources: dict[str, Source]
    places: list[Place]
    schemas: dict[Output, pa.Schema]


def why_only_beam(job: Job) -> str | None:
    """Why only Beam can run a job, and what to use instead; None for any other job."""
    if job.providers:
        return (
            f"{job.file} brings code (`providers`), which only Beam can run: "
            "add `--runner direct`, or submit the job to Flink"
        )
    for step in job.steps:
        if step.part is None:
            return (
                f"'{step.name}' ({step.type}) is a transform of Beam, which only Beam can run: "
                "use Derive, Filter or a part of your own instead, or add `--runner direct`"
            )
    return None


def refuse_foreign_steps(job: Job) -> None:
    """Raise Mistake for a job that only Beam can run."""
    why = why_only_beam(job)
    if why is not None:
        raise Mistake(why)


def assemble(
    job: Job,
    counts: Counts,
    *,
    run: str = "",
    sources: dict[str, Source] | None = None,
    only: set[Output] | None = None,
) -> Assembly:
    """Make the nodes of a job.

    run: as in `Sink.run`. sources: take the place of the job's own, by step. only: leave out the
    sinks, and all steps and columns that these outputs do not need. Raises Mistake for a step that
    only Beam can run.
    """
    refuse_foreign_steps(job)
    steps = job.steps if only is None else _needed(job, only)
    made: dict[str, Source] = {}
    places: list[Place] = []
    schemas: dict[Output, pa.Schema] = {}
    for step in steps:
        if isinstance(step.part, Source):
            source = (sources or {}).get(step.name) or _part(job, step)
            assert isinstance(source, Source)
            made[step.name] = source
            schemas[step.name, "output"] = source.schema_of_rows()
            schemas[step.name, "rejects"] = REJECTS_SCHEMA
            continue
        inputs = [(side, resolved(job, source)) for side, source in step.sources()]
        known = [(side, schemas[source]) for side, source in inputs]
        schema = united_schema(known) if step.is_united else known[0][1]
        part = _part(job, step)
        if only is not None and isinstance(part, StatefulStep):
            part = _narrowed(step.name, part, steps, only)
        node = _node(part, step.name, f"{job.name}/{step.name}", schema, counts, run)
        places.append(Place(node, inputs, schema, step.is_united))
        for name, output in node.outputs.items():
            schemas[step.name, name] = output
        if isinstance(step.part, Transform):
            schemas[step.name, "rejects"] = REJECTS_SCHEMA
    return Assembly(job, made, places, schemas)


def leave_out_unread(assembly: Assembly, watched: set[Output]) -> None:
    """Tell each operator which of its outputs nothing reads. watched: outputs that a caller reads.

    It may then save the work for their rows.
    """
    read = {source for place in assembly.places for _, source in place.inputs} | watched
    for place in assembly.places:
        if isinstance(place.node, KeyedNode):
            place.node.operator.unread = frozenset(
                name for name in place.node.outputs if (place.node.name, name) not in read
            )


def resolved(job: Job, source: Output) -> Output:
    """An output by its own name, if the job gave it another."""
    name, output = source
    return name, job.step(name).aliases.get(output, output)


def _part(job: Job, step: Step) -> Part:
    """A new part: it must keep to the sandbox that the check had."""
    context: dict[str, Any] = {"folders": job.folders, "sandboxed": not job.trusted}
    kind = load(step_types()[step.type])
    made: Part = kind.model_validate(configuration(job, step), context=context)
    return made


def _node(part: Part, name: str, rule: str, schema: pa.Schema, counts: Counts, run: str) -> Node:
    if isinstance(part, Sink):
        part.check_schema(schema)
        part.set_step_name(rule)
        part.set_run(run)
        if part.file_span() is None:
            return SinkNode(name, part, counts)
        return KeyedNode(name, FileOperator(part, schema), counts, part)
    if isinstance(part, StatefulStep):
        return KeyedNode(name, part.in_one_shard().operator(schema, rule), counts)
    assert isinstance(part, Transform)
    return TransformNode(name, part, schema, counts)


def _needed(job: Job, wanted: set[Output]) -> list[Step]:
    """The steps that some outputs need."""
    names = {name for name, _ in wanted}
    for step in reversed(job.steps):
        if step.name in names:
            names |= {source for _, (source, _) in step.sources()}
    return [step for step in job.steps if step.name in names]


def _narrowed(
    name: str, part: StatefulStep, steps: list[Step], wanted: set[Output]
) -> StatefulStep:
    """The part without the columns that no step reads."""
    output = (name, "output")
    readers = [one.part for one in steps if output in [of for _, of in one.sources()]]
    columns = [one.columns_read() if isinstance(one, StatefulStep) else None for one in readers]
    if output in wanted or None in columns:
        return part
    return part.narrowed({name for one in columns if one is not None for name in one})
