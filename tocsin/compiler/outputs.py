"""The outputs of a step, with their schemas."""

from __future__ import annotations

import pyarrow as pa

from tocsin.parts.part import Part
from tocsin.parts.sink import Sink
from tocsin.parts.source import REJECTS_SCHEMA, Source
from tocsin.parts.stateful_step import StatefulStep
from tocsin.parts.transform import Transform

UNKNOWN: dict[str, pa.Schema | None] = dict.fromkeys(("output", "late", "alarms", "rejects"))
"""Outputs of a step whose input has columns that are not known before Beam expands the job."""


def outputs_of(part: Part, schema: pa.Schema | None) -> dict[str, pa.Schema | None]:
    """Schemas by output name. Raises Fault, Faults or ValueError if the part does not fit.

    schema: of the input; None for a source, and if it is not known.
    """
    if isinstance(part, Source):
        return {"output": part.schema_of_rows(), "rejects": REJECTS_SCHEMA}
    if schema is None:
        return UNKNOWN
    if isinstance(part, Sink):
        part.check_schema(schema)
        return {"late": schema} if part.file_span() is not None else {}
    if isinstance(part, StatefulStep):
        return dict(part.outputs(schema))
    assert isinstance(part, Transform)
    output = {"output": part.output_schema(schema)}
    return {**output, "rejects": REJECTS_SCHEMA} if part.rejects else dict(output)


def passed_through(schema: pa.Schema) -> dict[str, pa.Schema | None]:
    """Outputs of a wrong step that keeps its input's columns: steps behind it are still checked."""
    return {"output": schema, "late": schema, "rejects": REJECTS_SCHEMA}
