"""The counters of an ended job, which Flink keeps as an accumulator of Beam's metrics.

Flink drops the metrics of a job when it ends. The accumulator holds the same counters in Beam's
encoding: JSON with one monitoring info for each, its value as base64 of variable-length integers.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from tocsin.flink.rest import FlinkRest

_METRICS = "__metricscontainers"
_NAMESPACE = "tocsin"
COUNTER = "beam:metric:user:sum_int64:v1"
GAUGE = "beam:metric:user:latest_int64:v1"


def accumulated(rest: FlinkRest, job: str) -> Iterator[tuple[str, int]]:
    """The name and value of each counter and gauge of tocsin in a job's accumulators.

    One name comes once for each transform that counts under it; counters of a step add up.
    Raises Failure where Flink does not answer.
    """
    for one in rest.get(f"/jobs/{job}/accumulators").get("user-task-accumulators", []):
        if one.get("name") != _METRICS:
            continue
        for info in _infos(one.get("value")):
            labels = info.get("labels", {})
            value = _value(info)
            if labels.get("NAMESPACE") == _NAMESPACE and value is not None:
                yield labels["NAME"], value


def _infos(text: Any) -> list[dict[str, Any]]:
    """The monitoring infos; none where a failed job left a message in their place."""
    try:
        found: list[dict[str, Any]] = json.loads(text)["metrics"]["attempted"]
    except (ValueError, TypeError, KeyError):
        return []
    return found


def _value(info: dict[str, Any]) -> int | None:
    if info.get("urn") not in (COUNTER, GAUGE):
        return None
    try:
        numbers = _numbers(base64.b64decode(info.get("payload", ""), validate=True))
    except binascii.Error:
        return None
    # A gauge's value follows the time at which it was set.
    return numbers[-1] if numbers else None


def _numbers(payload: bytes) -> list[int]:
    """Signed integers of 64 bits, each in groups of seven bits with the lowest first."""
    numbers, number, shift = [], 0, 0
    for byte in payload:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number - 2**64 if number >= 2**63 else number)
            number, shift = 0, 0
    return numbers
