"""What Flink tells of a job's failures: which of those that came together is the reason, and the sentence that says it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tocsin.parts.failure import sentence_in

# A call to a worker that has ended, of a task that did not fail by itself: the reason is with another task, or in the
# worker's log. A worker that could not say why it ended comes as one of these, too.
_CUT_OFF = re.compile(r"StatusRuntimeException: (?:CANCELLED|UNAVAILABLE)\b.*", re.IGNORECASE)


@dataclass(frozen=True)
class JobFailure:
    """A failure that made a job restart or end. moment: milliseconds since 1970. text: with its traceback."""

    moment: int
    text: str

    @property
    def tells(self) -> bool:
        """Whether it gives a reason: not one that only lost the worker that it talked to."""
        return sentence_in(self.text) is not None or _CUT_OFF.search(brief(self.text)) is None

    @property
    def sentence(self) -> str:
        """What was wrong, for a person."""
        said = brief(self.text)
        cut_off = _CUT_OFF.search(said)
        if self.tells or cut_off is None:
            return said
        words = cut_off[0].partition(": ")[2]
        return f"a worker was cut off ({words}): another failure or the worker's log says why"


def failures_in(history: Iterable[dict[str, Any]]) -> list[JobFailure]:
    """The failures of Flink's exception history, in its order: of tasks that failed together, the first that tells."""
    found = []
    for entry in history:
        together = [JobFailure(int(one["timestamp"]), str(one["stacktrace"])) for one in (entry, *_beside(entry))]
        found.append(next((failure for failure in together if failure.tells), together[0]))
    return found


def _beside(entry: dict[str, Any]) -> list[dict[str, Any]]:
    return entry.get("concurrentExceptions") or []


def reason_of(failures: Iterable[JobFailure]) -> str | None:
    """The sentence of the first that tells; of the first, where none does; None where there is none."""
    given = list(failures)
    return next((failure.sentence for failure in (*(one for one in given if one.tells), *given)), None)


def brief(text: str) -> str:
    """The one sentence of a long Java or Python traceback that says what is wrong."""
    sentence = sentence_in(text)
    if sentence is not None:
        return sentence
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "..."))]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by:")]
    # Python's own last line is the most telling; it stands inside of Java's cause.
    errors = [line for line in lines if line.split(":")[0].endswith("Error") and "." not in line.split(":")[0]]
    found = errors[-1:] or causes[-1:] or lines[:1]
    return found[0][:500] if found else "no reason given"
