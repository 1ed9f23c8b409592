"""Several inputs as one: rows with the same columns together, those of named inputs apart."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.batch import (
    OFFSET,
    PARTITION,
    SYSTEM_COLUMNS,
    SYSTEM_FIELDS,
    traits,
    user_columns,
    with_traits,
)

SIDE = "_side"
"""Column with the name of the input that a row is from."""


def side_column(side: str, column: str) -> str:
    """Name of a column of a named input among the columns of all inputs."""
    return f"{side}.{column}"


def schema_of_side(schema: pa.Schema, side: str) -> pa.Schema:
    """The user's columns of one named input, under their own names. schema: of all inputs."""
    prefix = side_column(side, "")
    return pa.schema(
        [
            field.with_name(field.name.removeprefix(prefix))
            for field in schema
            if field.name.startswith(prefix)
        ]
    )


def measured_of_sides(
    schema: pa.Schema, columns: dict[str, list[str]]
) -> dict[str, dict[str, Any]]:
    """The traits on some columns of named inputs, under their own names.

    They are `units`, `periods` and `descriptions`.

    columns: by input.
    """
    known = traits(schema)
    named = {name: side_column(side, name) for side, names in columns.items() for name in names}
    return {
        what: {name: texts[one] for name, one in named.items() if one in texts}
        for what in ("units", "periods", "descriptions")
        for texts in (getattr(known, what),)
    }


def united_schema(inputs: list[tuple[str, pa.Schema]]) -> pa.Schema:
    """The schema of all inputs together.

    inputs: name and schema of each. Columns of a named input are called `name.column`, and are null
    in the rows of other inputs; the column `_side` has the name. Raises ValueError if inputs of one
    name differ in their columns or units.
    """
    fields: dict[str, pa.Field] = {}
    first: dict[str, pa.Schema] = {}
    for side, schema in inputs:
        known = first.setdefault(side, schema)
        mine, theirs = (
            [(name, s.field(name).type) for name in user_columns(s)] for s in (schema, known)
        )
        if mine != theirs:
            differ = sorted({name for name, _ in set(mine) ^ set(theirs)})
            raise ValueError(
                "inputs of one list must have the same columns; "
                f"these differ in {', '.join(differ) or 'their order'}"
            )
        for name, kind in mine:
            named = side_column(side, name) if side else name
            fields[named] = pa.field(named, kind)
    known_traits = [traits(schema) for _, schema in inputs]
    topics = {one.topic for one in known_traits}
    sided = [pa.field(SIDE, pa.string())] if any(first) else []
    same = known_traits[0].keys if len({one.keys for one in known_traits}) == 1 else ()
    each = [
        side_column(side, key)
        for (side, _), one in zip(inputs, known_traits, strict=True)
        for key in one.keys
    ]
    keys = each if sided else same
    schema = pa.schema([*fields.values(), *sided, *SYSTEM_FIELDS])
    return with_traits(
        schema,
        topic=topics.pop() if len(topics) == 1 else "",
        allowed_lateness=max(one.allowed_lateness for one in known_traits),
        stage=max(one.stage for one in known_traits),
        keys=tuple(dict.fromkeys(keys)),
        aggregated=all(one.aggregated for one in known_traits) and not sided,
        inputs=sum(one.inputs for one in known_traits),
        units=_agreed(inputs, "units"),
        periods=_agreed(inputs, "periods"),
        descriptions=_agreed(inputs, "descriptions"),
    )


def _agreed(inputs: list[tuple[str, pa.Schema]], what: str) -> dict[str, Any]:
    """Units, periods or descriptions by column, if all inputs that have the column agree.

    Raises ValueError if a column has two units.
    """
    found: dict[str, list[Any]] = {}
    for side, schema in inputs:
        known = getattr(traits(schema), what)
        for name in user_columns(schema):
            found.setdefault(side_column(side, name) if side else name, []).append(known.get(name))
    for name, several in found.items():
        different = sorted({one for one in several if one is not None})
        if what == "units" and len(different) > 1:
            raise ValueError(
                "inputs of one list must have the same units; "
                f"'{name}' is in {' and in '.join(different)}"
            )
    return {
        name: several[0]
        for name, several in found.items()
        if several[0] is not None and len(set(several)) == 1
    }


def united(batch: pa.RecordBatch, side: str, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in the schema of all inputs. Partition and offset stay if all are of one topic."""
    count = batch.num_rows
    keeps_place = bool(traits(schema).topic)
    columns = []
    for field in schema:
        name = (
            field.name.removeprefix(f"{side}.")
            if side and field.name not in SYSTEM_COLUMNS
            else field.name
        )
        mine = (
            field.name in SYSTEM_COLUMNS or not side or field.name.startswith(f"{side}.")
        ) and name in batch.schema.names
        if field.name == SIDE:
            columns.append(pa.repeat(pa.scalar(side), count))
        elif not mine or (field.name in (PARTITION, OFFSET) and not keeps_place):
            columns.append(pa.nulls(count, field.type))
        else:
            columns.append(batch.column(name).cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def rows_of_side(batch: pa.RecordBatch, side: str) -> pa.RecordBatch:
    """The rows of one named input, with its own columns."""
    rows = batch.filter(pc.equal(batch.column(SIDE), side))
    names = [
        name
        for name in rows.schema.names
        if name.startswith(f"{side}.") or (name in SYSTEM_COLUMNS)
    ]
    return rows.select(names).rename_columns([name.removeprefix(f"{side}.") for name in names])
