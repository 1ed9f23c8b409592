"""The content of alarm events: observed and expected value, place, time, and the rows behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.alarms.data_quality import doubts, quality_of
from tocsin.alarms.event import ACTIVE, NORMAL, alarm_columns, alarm_id, key_text
from tocsin.kernels.alarms import lifecycle
from tocsin.kernels.batch import (
    EVENT_TIME,
    OFFSET,
    PARTITION,
    SYSTEM_FIELDS,
    Floats,
    Int64s,
    timestamps,
    traits,
)
from tocsin.kernels.time.durations import format_duration
from tocsin.steps.detect.detection import Detection
from tocsin.steps.state.release_times import last_moments

FEED = "feed"
"""Key of an alarm about all sensors together."""


@dataclass(frozen=True)
class Found:
    """Alarm events as columns.

    detectors: name of the one that found the event. slots: key in the block of state; -1 for all
    sensors. what: a position in `lifecycle.EVENTS`. rows: the judged row that caused the event, or
    -1. which: for a detector of several columns, the column that stands out. places: latitude and
    longitude at that time, shape (events, 2); None: the last ones of the slot.
    """

    detectors: list[str]
    slots: Int64s
    what: Int64s
    times: Int64s
    starts: Int64s
    peaks: Floats
    levels: Int64s
    scores: Floats
    observed: Floats
    expected: Floats
    rows: Int64s
    which: Int64s | None = None
    places: Floats | None = None

    @staticmethod
    def of_silence(
        detectors: list[str], slots: Int64s, what: int, times: Int64s, starts: Int64s
    ) -> Found:
        """Events that no row caused."""
        size = len(slots)
        ones, nans, none = np.ones(size), np.full(size, np.nan), np.zeros(size, np.int64)
        return Found(
            detectors,
            slots,
            np.full(size, what),
            times,
            starts,
            ones,
            none,
            ones,
            nans,
            nans,
            none - 1,
        )


class _Event(NamedTuple):
    """What the sentence of an event says. words: the expectation. Times are microseconds."""

    event: str
    detector: str
    of: str
    key: str
    observed: float | None
    words: str
    expected: float
    score: float
    time: int
    start: int


class Evidence:
    """Makes alarm events of what a Detect step found. Only texts are made one by one."""

    def __init__(self, detection: Detection, schema: pa.Schema, alarm_schema: pa.Schema) -> None:
        self.detection = detection
        self.topic = traits(schema).topic
        self.is_aggregated = traits(schema).aggregated
        self.schema = alarm_schema

    def rows(
        self,
        keys: pa.RecordBatch,
        places: Floats | None,
        judged: pa.RecordBatch,
        found: list[Found],
    ) -> pa.RecordBatch | None:
        """Alarm events in the order of (time, key), or None.

        places: latitude and longitude by slot, or None. judged: the rows that `Found.rows` counts.
        """
        found = [one for one in found if len(one.slots)]
        if not found:
            return None
        slots, what, times, starts, peaks, levels, scores, observed, expected, at = (
            np.concatenate([getattr(one, name) for one in found])
            for name in (
                "slots",
                "what",
                "times",
                "starts",
                "peaks",
                "levels",
                "scores",
                "observed",
                "expected",
                "rows",
            )
        )
        detectors = [name for one in found for name in one.detectors]
        whose, owner = np.unique(slots, return_inverse=True)
        labels = self._labels(keys, whose)
        texts = [key_text(one) or FEED for one in labels]
        # The event time of a window is its last microsecond, but its alarm starts at its end.
        late = int(self.is_aggregated)
        times, starts = times + late, starts + late
        events = [lifecycle.EVENTS[one] for one in what]
        subjects = [texts[one] for one in owner]
        severities = self.detection.alarm.severities()
        names = self.detection.columns
        named = [
            names[at]
            for one in found
            for at in (np.zeros(len(one.slots), int) if one.which is None else one.which)
        ]
        columns: dict[str, Any] = {
            "alarm_id": [
                alarm_id(self.detection.rule, labels[one], start)
                for one, start in zip(owner, starts.tolist(), strict=True)
            ],
            "event": events,
            "state": [NORMAL if event == "clear" else ACTIVE for event in events],
            "rule": [self.detection.rule] * len(what),
            "rule_version": [self.detection.rule_version] * len(what),
            "detector": detectors,
            "severity": [severities[level] for level in levels],
            "key": subjects,
            "labels": [[(name, str(value)) for name, value in labels[one]] for one in owner],
            "time": timestamps(times),
            "started_at": timestamps(starts),
            "of": named,
            "observed": pa.array(observed, mask=np.isnan(observed)),
            "expected": [self.detection.detector.expectation(value) for value in expected.tolist()],
            "score": scores,
            "peak_score": peaks,
            **self._where(judged, at),
            **_positions(found, places),
        }
        columns["lake_query"] = self._lake_queries(
            [labels[one] for one in owner], columns["window_start"], columns["time"]
        )
        sentences = self._sentences(columns, detectors, times, starts, expected)
        doubtful = doubts(judged, pa.array(at, mask=at < 0))
        columns["message"] = [
            sentence + (doubt if event != "clear" else "")
            for sentence, doubt, event in zip(sentences, doubtful, events, strict=True)
        ]
        shown = timestamps(last_moments(times - late))
        empty = [pa.nulls(len(what), field.type) for field in SYSTEM_FIELDS[1:]]
        made = pa.RecordBatch.from_arrays(
            [*alarm_columns(columns, len(what)), shown, *empty], schema=self.schema
        )
        follows = pa.array([event != "raise" for event in events])
        order = pc.sort_indices(
            pa.table({"time": pa.array(times), "key": pa.array(subjects), "later": follows}),
            sort_keys=[("time", "ascending"), ("key", "ascending"), ("later", "ascending")],
        )
        return made.take(order)

    def _labels(self, keys: pa.RecordBatch, whose: Int64s) -> list[list[tuple[str, Any]]]:
        """Names and values of the key of each slot; empty for the feed."""
        known = keys.take(pa.array(whose[whose >= 0]))
        values = list(zip(*(column.to_pylist() for column in known.columns), strict=True))
        labelled = [list(zip(self.detection.by, one, strict=True)) for one in values]
        return [[]] * int((whose < 0).sum()) + labelled

    def _where(self, judged: pa.RecordBatch, at: Int64s) -> dict[str, Any]:
        """Window or offset, and quality of each event. at: rows of `judged`, or -1."""
        rows = pa.array(at, mask=at < 0)
        found: dict[str, Any] = {"topic": [self.topic or None] * len(at)}
        if self.is_aggregated:
            found |= {
                name: judged.column(name).take(rows) for name in ("window_start", "window_end")
            }
        else:
            found |= {"window_start": None, "partition": judged.column(PARTITION).take(rows)}
            found["offset"] = judged.column(OFFSET).take(rows)
        found |= quality_of(judged, rows)
        return found

    def _lake_queries(self, labels: list[list[tuple[str, Any]]], windows: Any, times: Any) -> Any:
        if not self.detection.lake:
            return None
        column, moments = (EVENT_TIME, times) if windows is None else ("window_start", windows)
        texts = pc.strftime(moments, "%Y-%m-%d %H:%M:%S+00").to_pylist()
        queries = []
        for one, time in zip(labels, texts, strict=True):
            terms = [f"{_name(name)} = {_literal(value)}" for name, value in one]
            terms += [] if time is None else [f"{column} = timestamptz {_literal(time)}"]
            where = ["where", " and ".join(terms)] if terms else []
            queries.append(" ".join(["select * from", _name(self.detection.lake), *where]))
        return queries

    def _sentences(
        self,
        columns: dict[str, Any],
        detectors: list[str],
        times: Int64s,
        starts: Int64s,
        expected: Floats,
    ) -> list[str]:
        events = zip(
            columns["event"], detectors, columns["of"], columns["key"],
            columns["observed"].to_pylist(), columns["expected"], expected.tolist(),
            columns["score"].tolist(), times.tolist(), starts.tolist(), strict=True,
        )  # fmt: skip
        return [self._sentence(_Event(*one)) for one in events]

    def _sentence(self, one: _Event) -> str:
        event, detector, of, key, observed, words, expected, score, time, start = one
        if detector == "feed_silence":
            return f"no sensor has sent {of}" if event != "clear" else f"sensors send {of} again"
        if detector == "never_seen" and event != "clear":
            return f"{of} of {key} has never come, expected {words}"
        seen = "nothing" if observed is None else f"{observed:.4g}"
        usual = self.detection.detector.usual(time / 1e6)
        if usual and observed is not None and expected > 0 and observed > 0:
            normal = f", {observed / expected:.3g} times {usual} ({expected:.4g})"
        else:
            normal = f", expected {words}" if words else ""
        if event == "clear":
            return f"{of} of {key} is normal again: {seen}{normal}"
        lasting = (
            f" for {format_duration(time - start)}" if time > start and event == "raise" else ""
        )
        grade = "" if observed is None else f" (score {score:.3g}, alarm from 1)"
        return f"{of} of {key} was {seen}{normal}{lasting}{grade}"


def _positions(found: list[Found], last: Floats | None) -> dict[str, Any]:
    """Latitude and longitude of each event; nothing for an input without positions.

    last: of each slot.
    """
    if last is None or not len(last):
        return {}
    here = np.concatenate(
        [
            np.where(one.slots[:, None] < 0, np.nan, last[one.slots])
            if one.places is None
            else one.places
            for one in found
        ]
    )
    columns = (pa.array(column, mask=np.isnan(column)) for column in here.T)
    return dict(zip(("latitude", "longitude"), columns, strict=True))


def _name(name: str) -> str:
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'


def _literal(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
