"""The failures in Flink's exception history: which of several is the cause, in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tocsin.foundation.failure import sentence_in

# A task that did not fail by itself lost the connection to its worker. The cause is with another
# task, or in the worker's log. A worker that could not report why it ended looks the same.
_CUT_OFF = re.compile(r"StatusRuntimeException: ((?:CANCELLED|UNAVAILABLE)\b.*)", re.IGNORECASE)

_NO_SLOTS = "NoResourceAvailableException"
NO_SLOTS = "are there enough task slots?"
"""What to ask where a job does not start. Flink reports it late, or not at all."""


@dataclass(frozen=True)
class JobFailure:
    """A failure that made a job restart or end.

    moment: milliseconds since 1970. text: the message with its traceback.
    """

    moment: int
    text: str

    @property
    def is_cause(self) -> bool:
        """Whether it names a cause, unlike a task that only lost the connection to its worker."""
        return self._cut_off is None

    @property
    def sentence(self) -> str:
        """The failure in one sentence, for a person."""
        cut_off = self._cut_off
        if _NO_SLOTS in self.text:
            return f"Flink found no slots for all tasks; {NO_SLOTS}"
        if cut_off is None:
            return brief(self.text)
        return f"a worker was cut off ({cut_off[1]}): another failure or the worker's log says why"

    @property
    def _cut_off(self) -> re.Match[str] | None:
        return _CUT_OFF.search(brief(self.text)) if sentence_in(self.text) is None else None


def failures_in(history: Iterable[dict[str, Any]]) -> list[JobFailure]:
    """One failure for each entry of Flink's exception history, in its order.

    Where tasks failed together, it is the first that names a cause.
    """
    return [
        _cause_among(
            [
                JobFailure(int(one["timestamp"]), str(one["stacktrace"]))
                for one in (entry, *(entry.get("concurrentExceptions") or []))
            ]
        )
        for entry in history
    ]


def reason_of(failures: list[JobFailure]) -> str | None:
    """The sentence of the first failure that names a cause, else of the first; None without one."""
    return _cause_among(failures).sentence if failures else None


def _cause_among(failures: list[JobFailure]) -> JobFailure:
    return next((failure for failure in failures if failure.is_cause), failures[0])


def brief(text: str) -> str:
    """The sentence of a long Java or Python traceback that names the error, up to 500 letters."""
    sentence = sentence_in(text)
    if sentence is not None:
        return sentence
    lines = [
        line.strip()
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith(("at ", "..."))
    ]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by:")]
    # The last line of a Python traceback says most. It is part of Java's cause.
    errors = [
        line
        for line in lines
        if line.split(":")[0].endswith("Error") and "." not in line.split(":")[0]
    ]
    found = errors[-1:] or causes[-1:] or lines[:1]
    return found[0][:500] if found else "no reason given"
