"""What a step that writes a table will do to it: new columns, types that do not fit, the owner."""

from __future__ import annotations

import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.foundation.target_change import TargetChange
from tocsin.table.columns import new_columns
from tocsin.table.owner import BOUNDED, KIND, SHARDS, Writer
from tocsin.table.table import Table, open_table
from tocsin.table.widening import is_wider, widened_schema


def table_changes(writer: Writer, schema: pa.Schema) -> list[TargetChange]:
    """The changes of a table.

    Args:
        writer: the step.
        schema: columns that it writes, in the types of a table.

    Raises:
        Failure: for a table that cannot be read.
    """
    table = open_table(writer.place)
    if table is None:
        return [
            TargetChange(f"the dataset '{writer.dataset}' is new, with {len(schema)} columns"),
        ]
    return [*_ownership(writer, table), *_columns(writer.dataset, table.schema, schema)]


def _ownership(writer: Writer, table: Table) -> list[TargetChange]:
    found = []
    try:
        writer.check(table)
    except Failure as failure:
        found.append(TargetChange(failure.sentence, is_refused=True))
    if table.properties.get(KIND) == BOUNDED:
        found.append(
            TargetChange(
                f"runs with an end wrote the dataset '{writer.dataset}'; a live job adds all rows "
                "that it reads"
            )
        )
    shards = table.properties.get(SHARDS, str(writer.shards))
    if shards != str(writer.shards) and writer.rerun != "continue":
        found.append(TargetChange(f"'shards' was {shards} and is {writer.shards}"))
    return found


def _columns(dataset: str, known: pa.Schema, given: pa.Schema) -> list[TargetChange]:
    found = []
    fits = widened_schema(given, known)
    for field, own in zip(fits, given, strict=True):
        try:
            added = new_columns(known, pa.schema([field]), dataset)
        except ValueError as error:
            found.append(TargetChange(str(error), is_refused=True))
            continue
        if added:
            found.append(
                TargetChange(
                    f"adds the column '{field.name}' ({field.type}), null in the rows so far"
                )
            )
        elif is_wider(field.type, own.type):
            found.append(
                TargetChange(f"stores '{field.name}' ({own.type}) as the table's {field.type}")
            )
    found += [
        TargetChange(f"the column '{field.name}' stays in the table, and is null in new rows")
        for field in known
        if field.name not in given.names
    ]
    return found
