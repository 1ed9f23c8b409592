"""Telemetry that a job archived in the lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from pydantic import PrivateAttr, ValidationInfo, model_validator

from tocsin.api.source import (
    BEGINNING,
    Failure,
    Fault,
    Fetched,
    Param,
    Source,
    Split,
    StoreSettings,
    absolute_lake,
    check_lake,
    fetched,
    format_timestamp,
    is_in_store,
    judge_store,
    notes_in_fields,
    open_table,
    pinned,
    place_of,
    readable_folders,
    store_settings,
)

_PLACE = ["_partition", "_offset", "_index"]


class ReadArchive(Source):
    """Reads an archive, each partition in the order of its offsets, as the job read the topic.

    `tocsin backfill JOB --archive LAKE` replaces a job's ReadTelemetry by it. The archive has no
    unreadable messages.
    """

    lake: str = Param(
        help="folder of the lake with the archive; or s3://BUCKET/FOLDER", examples=["lake"]
    )
    dataset: str = Param(
        help="name of the table, such as raw_air",
        pattern=r"^[a-z][a-z0-9_]*$",
        examples=["raw_air"],
    )
    topic: str = Param("", help="the topic that was archived; by default the name of the table")
    since: int | None = Param(
        None,
        help="skip readings that arrived before this watermark (microseconds since 1970)",
    )
    store: StoreSettings = Param({}, help="for a lake at s3://: as `store` of WriteToLake")
    batch_rows: int = Param(20_000, help="rows a batch", ge=1)

    # The sandbox of an untrusted job: it judges each file again when it is opened.
    _places: tuple[str, ...] | None = PrivateAttr(None)
    _store_places: tuple[str, ...] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _is_allowed(self, info: ValidationInfo) -> ReadArchive:
        check_lake(self.lake, info.context)
        self._store_places = judge_store(self.store, info.context)
        self._places = readable_folders(info.context)
        return self

    def __getstate__(self) -> dict[Any, Any]:
        """The step with an absolute path, because workers run in another folder."""
        state = super().__getstate__()
        lake = absolute_lake(self.lake)
        store = store_settings(self.store) if is_in_store(lake) else {}
        return {**state, "__dict__": {**state["__dict__"], "lake": lake, "store": store}}

    def topic_name(self) -> str:
        return self.topic or self.dataset

    def _spans(self) -> list[list[Path]]:
        """The files of each span of arrival, in order: offsets rise with the watermark."""
        folder = place_of(self.lake, self.store, self._store_places) / self.dataset
        table = open_table(str(folder))
        files = [] if table is None else [folder / file.path for file in table.files()]
        by_start: dict[str, list[Path]] = {}
        for path in files:
            by_start.setdefault(path.name.split("-")[0], []).append(path)
        starts = sorted(by_start)
        if self.since is not None:
            # A span ends where the next one begins, or later.
            bound = format_timestamp(self.since)
            starts = [
                start
                for start, following in zip(starts, [*starts[1:], "9"], strict=True)
                if following > bound
            ]
        return [by_start[start] for start in starts]

    def fields(self) -> list[pa.Field]:
        spans = self._spans()
        if not spans:
            raise Fault(f"no archive '{self.dataset}' in {self.lake}", "dataset")
        schema = self._schema(spans)
        if not set(_PLACE) <= set(schema.names):
            raise Fault(f"'{self.dataset}' is no archive: it has no {', '.join(_PLACE)}", "dataset")
        # The lake added them; a job has no such columns.
        added = json.loads((schema.metadata or {}).get(b"tocsin.parts", b"[]"))
        return [
            field.with_metadata(None)
            for field in schema
            if not field.name.startswith("_") and field.name not in added
        ]

    def descriptions_of_fields(self) -> dict[str, str]:
        notes = notes_in_fields(self._schema(self._spans()))
        return {name: one["description"] for name, one in notes.items() if "description" in one}

    def splits(self, live: bool) -> list[Split]:
        stops: dict[int, int] = {}
        for path in (path for span in self._spans() for path in span):
            table = self._table(path, _PLACE[:2])
            found = table.group_by("_partition").aggregate([("_offset", "max")])
            for partition, last in zip(
                found.column("_partition").to_pylist(),
                found.column("_offset_max").to_pylist(),
                strict=True,
            ):
                stops[partition] = max(stops.get(partition, 0), last + 1)
        if not stops:
            raise Failure(f"no archive '{self.dataset}' in {self.lake}")
        return [
            Split(self.topic_name(), partition, 0, stop)
            for partition, stop in sorted(stops.items())
        ]

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        fields = pa.schema(self.fields())
        for span in self._spans():
            ours = (pc.field("_partition") == split.partition) & (pc.field("_offset") >= start)
            parts = [self._table(path, [*fields.names, *_PLACE], ours) for path in span]
            rows = pa.concat_tables(parts).sort_by(
                [("_offset", "ascending"), ("_index", "ascending")]
            )
            for batch in rows.combine_chunks().to_batches(self.batch_rows):
                yield self._fetched(batch, fields)

    def _opened(self, path: Path) -> AbstractContextManager[str]:
        """A path of this machine under which a file of the archive can be read."""
        if is_in_store(self.lake):
            return nullcontext(str(fetched(path)))
        return pinned(str(path), self._places)

    def _schema(self, spans: list[list[Path]]) -> pa.Schema:
        try:
            with self._opened(spans[0][0]) as opened:
                return parquet.read_schema(opened)
        except OSError as error:
            raise Fault(f"cannot read the archive: {error.strerror or error}", "lake") from None

    def _table(self, path: Path, columns: list[str], rows: Any = None) -> pa.Table:
        try:
            with self._opened(path) as opened:
                return parquet.read_table(opened, columns=columns, filters=rows, partitioning=None)
        except OSError as error:
            raise Failure(f"cannot read {path}: {error.strerror or error}") from None

    @staticmethod
    def _fetched(batch: pa.RecordBatch, fields: pa.Schema) -> Fetched:
        offsets = batch.column("_offset").to_numpy().astype(np.int64)
        index = batch.column("_index").to_numpy().astype(np.int64)
        columns = batch.select(fields.names).cast(fields)
        messages = len(np.unique(offsets))
        return Fetched(
            columns,
            offsets,
            index,
            np.full(len(offsets), BEGINNING),
            int(offsets[-1]) + 1,
            messages,
        )
