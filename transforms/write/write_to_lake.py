"""The Parquet lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pyarrow as pa
from pydantic import PrivateAttr, ValidationInfo, model_validator

from tocsin.api.sink import (
    EVENT_TIME,
    TIME_PARTS,
    WATERMARK,
    Duration,
    Failure,
    Fault,
    Param,
    Sink,
    StoreSettings,
    TargetChange,
    Unit,
    UnitWriter,
    Writer,
    absolute_lake,
    by_values,
    check_lake,
    check_lake_folder,
    check_place,
    format_duration,
    has_offsets,
    is_in_store,
    judge_store,
    micros,
    need_columns,
    notes_footer,
    notes_of,
    offsets_of,
    place_of,
    probe,
    readable_folders,
    shown,
    store_settings,
    stored_batch,
    stored_type,
    suggestion,
    table_changes,
    traits,
    user_columns,
    with_notes,
    with_parts,
    with_points,
)


class WriteToLake(Sink):
    """Writes a Delta table of Parquet files. Each row is in the table once, whatever crashes.

    A file is on the disk before a commit names it. The commit has the files of a shard and a mark
    of how far the shard is written, so a retry adds nothing. Rows are sorted; the footer of a file
    has the offsets of the topic that they come from. The metadata of each column has its `unit` and
    `description`, where they are known. For each window and key, use the highest revision.

    Types that Delta lacks are stored as others: uint8, uint16 and uint32 as the next wider integer,
    uint64 as decimal(20,0), times of a day and durations as microseconds, timestamps in UTC.
    """

    lake: str = Param(
        help="folder of the lake, such as /data/lake; or s3://BUCKET/FOLDER",
        examples=["lake"],
    )
    dataset: str = Param(
        help="name of the table: the folder under the lake, with one step that writes it",
        pattern=r"^[a-z][a-z0-9_]*$",
        examples=["air_quality"],
        max_length=100,
    )
    span: Duration = Param("15 min", help="event time in one file", validate_default=True)
    partition_by: list[str] = Param(
        ["date"],
        help="rows with different values are in different files: date, hour, month, year, "
        "which become columns, or columns of the input",
    )
    geometry: list[str] | None = Param(
        None,
        help="columns of latitude and longitude: files are GeoParquet with points",
        min_length=2,
        max_length=2,
    )
    retention: Duration | None = Param(
        None, help="how long rows are kept: `tocsin lake FOLDER retain` deletes older files"
    )
    by_arrival: bool = Param(
        False,
        help="files span the watermark at arrival: no reading is late, "
        "and all can be read in their order",
    )
    shards: int = Param(
        1,
        help="number of files of one span: the most that can be written in parallel",
        ge=1,
        le=256,
    )
    rerun: Literal["continue", "append", "replace"] = Param(
        "continue",
        help="rows of earlier runs with an end: continue behind the offsets that they read "
        "(results without offsets: replace), append to them, or replace spans of time",
    )

    store: StoreSettings = Param(
        {},
        help="for s3://: endpoint, region, access_key_id and secret_access_key (as env:NAME or "
        "file:/path); by default those of the variables AWS_…",
    )
    maintenance: bool = Param(
        True,
        help="write a checkpoint of the table's log every 100 commits, and once a day delete files "
        "that left the table 7 days ago; `tocsin lake FOLDER maintain` does the same and compacts",
    )

    # The sandbox of an untrusted job: it judges each folder again when a file is written.
    _places: tuple[str, ...] | None = PrivateAttr(None)
    _store_places: tuple[str, ...] | None = PrivateAttr(None)
    _writer: UnitWriter | None = PrivateAttr(None)
    # Columns of the table that the checked input needs, for the check before a run.
    _columns: pa.Schema | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _is_allowed(self, info: ValidationInfo) -> WriteToLake:
        check_lake(self.lake, info.context)
        check_place(self.lake)
        if self.store and not is_in_store(self.lake):
            raise ValueError(f"'store' is for lakes at s3://, and '{self.lake}' is a folder")
        self._store_places = judge_store(self.store, info.context)
        self._places = readable_folders(info.context)
        return self

    def __getstate__(self) -> dict[Any, Any]:
        """The step with an absolute path, because workers run in another folder."""
        state = super().__getstate__()
        lake = absolute_lake(self.lake)
        store = store_settings(self.store) if is_in_store(lake) else {}
        private = {**(state["__pydantic_private__"] or {}), "_writer": None, "_columns": None}
        return {
            **state,
            "__dict__": {**state["__dict__"], "lake": lake, "store": store},
            "__pydantic_private__": private,
        }

    @classmethod
    def sample(cls, folder: str) -> WriteToLake:
        """A lake in a folder, for the laws."""
        return cls(lake=folder, dataset="sample")

    def file_span(self) -> int | None:
        return self.span

    def is_by_arrival(self) -> bool:
        return self.by_arrival

    def unit_shards(self) -> int:
        return self.shards

    def check_schema(self, schema: pa.Schema) -> None:
        if self.span < 1_000_000 or self.span % 1_000_000:
            raise Fault("a file spans whole seconds, at least one", "span")
        names = user_columns(schema)
        if self.geometry is not None:
            need_columns(self.geometry, schema, "geometry")
            if "geometry" in names:
                raise Fault("its input has a column 'geometry' already", "geometry")
        for name in names:
            try:
                stored_type(schema.field(name).type)
            except ValueError as error:
                raise Fault(f"the column '{name}' cannot be stored: {error}") from None
        for at, name in enumerate(self.partition_by):
            self._check_part(name, at, names, schema)
        self._columns = self._stored_schema(schema)

    def _check_part(self, name: str, at: int, names: list[str], schema: pa.Schema) -> None:
        own = next((one for one in names if one.lower() == name), None)
        if name in TIME_PARTS and own is not None:
            raise Fault(
                f"its input has a column '{own}', and the table would have the {name} of the "
                f"event time under the same name; give it another name in the schema, or "
                f"partition by {self._free_parts(names)}",
                "partition_by",
                at,
            )
        if name not in TIME_PARTS and name not in names:
            raise Fault(
                f"no column '{name}' in its input{suggestion(name, [*names, *TIME_PARTS])}"
                f" (columns: {', '.join(names)}; "
                f"from the event time: {', '.join(TIME_PARTS)})",
                "partition_by",
                at,
            )

    def _free_parts(self, names: list[str]) -> str:
        """The time parts that no column hides, for a suggestion."""
        taken = {name.lower() for name in names} | set(self.partition_by)
        free = [name for name in TIME_PARTS if name not in taken]
        return " or ".join(f"'{name}'" for name in free) or "a column"

    def check_target(self) -> None:
        with self._failures():
            self._check_folder(self._place)
            probe(self._place)
            refused = [one for one in self._changes() if one.is_refused]
            if refused:
                raise Failure(refused[0].sentence)

    def target_changes(self, schema: pa.Schema) -> list[TargetChange]:
        self._columns = self._stored_schema(schema)
        return self._changes()

    def _changes(self) -> list[TargetChange]:
        columns = pa.schema([]) if self._columns is None else self._columns
        return table_changes(self._as_writer(), columns)

    @property
    def _place(self) -> str:
        return str(place_of(self.lake, self.store, self._store_places) / self.dataset)

    def _as_writer(self) -> Writer:
        return Writer(self._place, self.dataset, self.step_name, self.run, self.shards, self.rerun)

    def _check_folder(self, folder: str) -> None:
        if is_in_store(self.lake):
            return
        try:
            check_lake_folder(folder, self._places)
        except ValueError as error:
            raise Failure(str(error)) from None

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except Failure as failure:
            raise type(failure)(shown(failure.sentence)) from None
        except (OSError, pa.ArrowException) as error:
            reason = getattr(error, "strerror", None) or shown(str(error)) or "it takes no files"
            raise Failure(f"cannot write the lake {self.lake}: {reason}") from None

    def _open(self) -> UnitWriter:
        if self._writer is None:
            self._writer = UnitWriter(
                self._as_writer(), self._check_folder, maintains=self.maintenance
            )
        return self._writer

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        known = traits(batch.schema)
        one = Unit.of(unit, self.span, known.allowed_lateness)
        rows = self._stored(batch)
        schema = self._with_geometry(rows.schema)
        reads = has_offsets(rows, known.topic)
        writer = self._open()
        with self._failures():
            writer.begin(schema, has_offsets=reads)
            if reads:
                rows = writer.uncovered(rows, one.shard, known.topic)
            if rows.num_rows:
                files = self._files(batch, rows, one)
                writer.write(one, self._label(one), files, has_offsets=reads)

    def flush(self) -> None:
        if self._writer is not None:
            with self._failures():
                self._writer.flush()

    def end(self, shard: int) -> None:
        with self._failures():
            self._open().end(f"s{shard:03d}")

    def _stored(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The columns of a file: results have no system columns, readings time and offset."""
        left_out = {WATERMARK}
        if traits(batch.schema).aggregated or "alarm_id" in batch.schema.names:
            left_out |= set(batch.schema.names) - set(user_columns(batch.schema))
        times = micros(batch.column(EVENT_TIME))
        kept = batch.select([name for name in batch.schema.names if name not in left_out])
        return with_parts(stored_batch(kept), self.partition_by, times)

    def _with_geometry(self, schema: pa.Schema) -> pa.Schema:
        if self.geometry is None:
            return schema
        return schema.append(pa.field("geometry", pa.binary()))

    def _stored_schema(self, schema: pa.Schema) -> pa.Schema | None:
        """The columns of the table for rows of a schema; None for rows without a time."""
        if EVENT_TIME not in schema.names:
            return None
        columns = [pa.array([], field.type) for field in schema]
        empty = pa.RecordBatch.from_arrays(columns, schema=schema)
        return self._with_geometry(self._stored(empty).schema).remove_metadata()

    def _label(self, unit: Unit) -> str:
        span = format_duration(self.span).replace(" ", "")
        return "-".join([span, *unit.name.split(".")[1:]])

    def _files(self, batch: pa.RecordBatch, rows: pa.RecordBatch, unit: Unit) -> list[Any]:
        """A table for each file of a unit, with the metadata of its footer."""
        footer, notes = self._footer(batch, unit), notes_of(batch.schema)
        found = []
        for part in by_values(rows, self.partition_by):
            table = pa.Table.from_batches([part]).replace_schema_metadata(footer)
            table = with_notes(table, notes)
            if self.geometry is not None:
                table = with_points(table, *self.geometry)
            found.append(table)
        return found

    def _footer(self, batch: pa.RecordBatch, unit: Unit) -> dict[str, str]:
        known = traits(batch.schema)
        keys = ["window_start", *known.keys] if known.aggregated else []
        footer = {
            "tocsin.offsets": json.dumps({known.topic: offsets_of(batch)}, sort_keys=True),
            "tocsin.unit": unit.name,
            "tocsin.until": str(unit.until),
            "tocsin.lateness": str(known.allowed_lateness),
            "tocsin.run": self.run,
            "tocsin.keys": json.dumps(keys),
            # Columns that the input did not have.
            "tocsin.parts": json.dumps([one for one in self.partition_by if one in TIME_PARTS]),
            **notes_footer(notes_of(batch.schema)),
        }
        if self.retention is not None:
            footer["tocsin.retention"] = str(self.retention)
        return footer
