"""Texts of failures and answers of a cluster, as Flink gives them."""

from __future__ import annotations

from typing import Any

CUT_OFF = (
    "org.apache.flink.runtime.taskmanager.AsynchronousException: "
    "Caught exception while processing timer.\n"
    "\tat org.apache.flink.streaming.runtime.tasks.StreamTask.handleAsyncException"
    "(StreamTask.java:1600)\n"
    "Caused by: org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException: "
    "CANCELLED: client cancelled\n"
    "\tat org.apache.beam.vendor.grpc.v1p60p1.io.grpc.Status.asRuntimeException(Status.java:524)\n"
)
REASON = (
    "java.lang.RuntimeException: Error received from SDK harness for instruction 7: "
    "Traceback (most recent call last):\n"
    '  File "/somewhere/transactions.py", line 90, in write\n'
    "tocsin.foundation.failure.Failure: "
    "[[cannot write to the topic 'alarms': Group authorization failed.]]\n"
)
PYTHON = (
    "java.lang.RuntimeException: x\n"
    "Caused by: java.lang.RuntimeException: Traceback:\n"
    "ValueError: no such value\n"
)


def entry(text: str, *concurrent: str, at: int = 5) -> dict[str, Any]:
    """An entry of the exception history; concurrent failures follow a millisecond later."""
    return {
        "timestamp": at,
        "stacktrace": text,
        "concurrentExceptions": [
            {"timestamp": at + 1, "stacktrace": other} for other in concurrent
        ],
    }
