"""What Flink tells of a job's failures: which of those that came together is the reason, and the sentence that says it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tocsin.foundation.failure import sentence_in

# A call to a worker that has ended, of a task that did not fail by itself: the reason is with another task, or in the
# worker's log. A worker that could not say why it ended comes as one of these, too.
_CUT_OFF = re.compile(r"StatusRuntimeException: ((?:CANCELLED|UNAVAILABLE)\b.*)", re.IGNORECASE)


@dataclass(frozen=True)
class JobFailure:
    """A failure that made a job restart or end. moment: milliseconds since 1970. text: with its traceback."""

    moment: int
    text: str

    @property
    def tells(self) -> bool:
        """Whether it gives a reason: not one that only lost the worker that it talked to."""
        return self._cut_off is None

    @property
    def sentence(self) -> str:
        """What was wrong, for a person."""
        cut_off = self._cut_off
        if cut_off is None:
            return brief(self.text)
        return f"a worker was cut off ({cut_off[1]}): another failure or the worker's log says why"

    @property
    def _cut_off(self) -> re.Match[str] | None:
        return _CUT_OFF.search(brief(self.text)) if sentence_in(self.text) is None else None


def failures_in(history: Iterable[dict[str, Any]]) -> list[JobFailure]:
    """The failures of Flink's exception history, in its order: of tasks that failed together, the first that tells."""
    found = []
    for entry in history:
        beside = entry.get("concurrentExceptions") or []
        found.append(
            _telling(
                [
                    JobFailure(int(one["timestamp"]), str(one["stacktrace"]))
                    for one in (entry, *beside)
                ]
            )
        )
    return found


def reason_of(failures: list[JobFailure]) -> str | None:
    """The sentence of the first that tells; of the first, where none does; None where there is none."""
    return _telling(failures).sentence if failures else None


def _telling(failures: list[JobFailure]) -> JobFailure:
    return next((failure for failure in failures if failure.tells), failures[0])


def brief(text: str) -> str:
    """The one sentence of a long Java or Python traceback that says what is wrong."""
    sentence = sentence_in(text)
    if sentence is not None:
        return sentence
    lines = [
        line.strip()
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith(("at ", "..."))
    ]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by:")]
    # Python's own last line is the most telling; it stands inside of Java's cause.
    errors = [
        line
        for line in lines
        if line.split(":")[0].endswith("Error") and "." not in line.split(":")[0]
    ]
    found = errors[-1:] or causes[-1:] or lines[:1]
    return found[0][:500] if found else "no reason given"
