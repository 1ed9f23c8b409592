"""Alarms to a Kafka topic."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import PrivateAttr

from tocsin.api.sink import Kafka, Param, Producer, Sink, TopicName, Transactions, reasons_of

_SECOND = 1_000_000
_CLOSING = ("clear", "withdraw")


class WriteAlarms(Sink):
    """Writes alarm events as CloudEvents 1.0 in Kafka's binary mode.

    The body is a Smart Data Models Alert.

    `ce_id` is made of the alarm's id, the event and its time, so a consumer can drop repetitions.
    The message key is the alarm's id: the events of one alarm stay in order.

    delivery at_least_once: after a failure, events may be repeated with the same `ce_id`. delivery
    exactly_once: the events of a second of event time are one transaction, and a consumer with
    isolation.level read_committed sees each once, whatever fails. Kafka stores under `identity`
    what was committed: a job that reads the past again writes no alarm again.
    """

    in_a_job = {"input": "Detect.alarms", "config": {"topic": "city.alarms"}}

    takes: ClassVar[tuple[str, ...]] = ("alarm_id", "event", "rule", "key", "time", "message")
    topic: TopicName = Param(help="topic name")
    kafka: Kafka = Param(Kafka(), help="cluster and client settings")
    delivery: Literal["at_least_once", "exactly_once"] = Param(
        "at_least_once", help="what a failure may do to events"
    )
    identity: str | None = Param(
        None,
        help="transactional id, for exactly_once; by default from the names of job and step",
        pattern=r"^[\x20-\x7e]{1,249}$",
    )

    _producer: Producer | None = PrivateAttr(None)
    _transactions: Transactions | None = PrivateAttr(None)

    def file_span(self) -> int | None:
        return _SECOND if self.delivery == "exactly_once" else None

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        # Alarms are few, and each is one message.
        messages = [
            (row["alarm_id"].encode(), body(row), headers(row)) for row in batch.to_pylist()
        ]
        if self.delivery == "exactly_once":
            if self._transactions is None:
                self._transactions = Transactions(
                    self.kafka, self.topic, self.identity or f"tocsin.{self.step_name}"
                )
            self._transactions.write(int(unit.partition(".")[0]) + _SECOND, messages)
            return
        if self._producer is None:
            self._producer = Producer(self.kafka)
        for key, value, attributes in messages:
            self._producer.send(self.topic, key, value, attributes)

    def flush(self) -> None:
        if self._producer is not None:
            self._producer.flush()


def headers(row: dict[str, Any]) -> list[tuple[str, bytes]]:
    """CloudEvents attributes of an alarm event, and the type of its body."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": f"{row['alarm_id']}.{row['event']}.{_micros(row['time'])}",
        "ce_source": f"/tocsin/{row['rule']}",
        "ce_type": f"org.tocsin.alarm.{row['event']}",
        "ce_time": _text(row["time"]),
        "ce_subject": row["key"],
        "content-type": "application/json",
    }
    return [(name, str(value).encode()) for name, value in attributes.items()]


def body(row: dict[str, Any]) -> bytes:
    """The alarm event as an Alert of Smart Data Models: observed and expected value, reason."""
    alert: dict[str, Any] = {
        "id": f"urn:ngsi-ld:Alert:{row['alarm_id']}",
        "type": "Alert",
        "category": "anomaly",
        "subCategory": row["detector"],
        "severity": row["severity"],
        "status": "closed" if row["event"] in _CLOSING else "open",
        "description": row["message"],
        "dateIssued": _text(row["time"]),
        "validFrom": _text(row["started_at"]),
        "validTo": _text(row["time"]) if row["event"] in _CLOSING else None,
        "alertSource": f"urn:ngsi-ld:Device:{row['key']}",
        "data": {
            "event": row["event"],
            "state": row["state"],
            "rule": row["rule"],
            "ruleVersion": row["rule_version"],
            "labels": dict(row["labels"] or []),
            "of": row["of"],
            "observed": _finite(row["observed"]),
            "expected": row["expected"],
            "score": _finite(row["score"]),
            "peakScore": _finite(row["peak_score"]),
        },
    }
    if row["latitude"] is not None and row["longitude"] is not None:
        alert["location"] = {"type": "Point", "coordinates": [row["longitude"], row["latitude"]]}
    alert["data"] |= {name: value for name, value in _evidence(row).items() if value is not None}
    return json.dumps(
        {name: value for name, value in alert.items() if value is not None}, ensure_ascii=False
    ).encode()


def _evidence(row: dict[str, Any]) -> dict[str, Any]:
    """Where the event's rows are and their quality, as far as known."""
    window = None
    if row["window_start"] is not None:
        window = {"start": _text(row["window_start"]), "end": _text(row["window_end"])}
    source = None
    if row["offset"] is not None:
        source = {"topic": row["topic"], "partition": row["partition"], "offset": row["offset"]}
    quality = None
    if any(row[name] is not None for name in ("flag", "coverage", "valid")):
        reasons = reasons_of(row["flag_reasons"])
        known = {
            "flag": row["flag"],
            "reasons": reasons,
            "coverage": _finite(row["coverage"]),
            "valid": row["valid"],
        }
        quality = {name: value for name, value in known.items() if value is not None}
    return {
        "window": window,
        "source": source,
        "quality": quality,
        "lakeQuery": row["lake_query"],
        "reason": row["reason"],
    }


def _finite(value: float | None) -> float | str | None:
    """JSON has no infinity."""
    return value if value is None or abs(value) < float("inf") else str(value)


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _micros(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)
