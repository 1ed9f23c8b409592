"""The sentence about a run whose input was mostly rejected or late, with the likely cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.compiler.job import Job, Step
from tocsin.foundation.ledger import Ledger, StepCount
from tocsin.kernels.time.durations import format_duration
from tocsin.parts.source import Source

_WHY_LATE = (
    "Likely cause: the order of the readings, such as files sent to a topic in another order. "
    "A reading is late if earlier ones of its partition or file moved the watermark past it. "
    "Sort the input by time, or raise out_of_orderness or allowed_lateness. "
    "One event time far ahead has the same effect; max_future rejects it"
)


@dataclass(frozen=True)
class LostInput:
    """Rows that a step rejected or found late. is_all: whether it kept no row."""

    sentence: str
    is_all: bool


def lost_input(job: Job, ledger: Ledger) -> LostInput | None:
    """The first step that lost half of its rows or more, if they are much of the job's input.

    A source's rows always are. Those of another step are if they are at least half of what the
    sources kept. A step that keeps no row comes before others.
    """
    found = list(_losses(job, ledger))
    return next((one for one in found if one.is_all), found[0] if found else None)


def _losses(job: Job, ledger: Ledger) -> Iterator[LostInput]:
    sources = {step.name for step in job.steps if step.is_source}
    kept = sum(count.kept for name, count in ledger.steps.items() if name in sources)
    for step in job.steps:
        count = ledger.steps.get(step.name, StepCount())
        gone = count.rejected + count.late
        if not gone or gone < count.kept or (step.name not in sources and 2 * gone < kept):
            continue
        is_late = count.late > count.rejected
        amount = f"{gone:,} of {count.read:,} rows were" if count.kept else _all(gone)
        reasons = ledger.reasons.get(step.name, {})
        why = _WHY_LATE if is_late else _why_rejected(job, step, count, reasons)
        fate = "late" if is_late else "rejected"
        yield LostInput(f"{step.name}: {amount} {fate}. {why}", not count.kept)


def _all(rows: int) -> str:
    return f"all {rows:,} rows were" if rows > 1 else "the only row was"


def _why_rejected(job: Job, step: Step, count: StepCount, reasons: dict[str, int]) -> str:
    where = _rejects_of(job, step)
    if not isinstance(step.part, Source):
        return f"Likely cause: a rule of this step that no row meets; {where}"
    column = step.part.event_time
    future, missing = reasons.get("from_the_future", 0), reasons.get("no_event_time", 0)
    if future > count.rejected // 2:
        return (
            f"Likely cause: the unit of '{column}': {future:,} event times are more than "
            f"max_future ({format_duration(step.part.max_future)}) after their arrival. "
            f"If the unit is right, raise max_future; {where}"
        )
    if missing > count.rejected // 2:
        return (
            f"Likely cause: the name or the unit of '{column}': {missing:,} readings have no "
            f"event time there; {where}"
        )
    return (
        f"Likely cause: a schema that does not fit the input, or another unit of '{column}' than "
        f"the schema's; {where}"
    )


def _rejects_of(job: Job, step: Step) -> str:
    """Where the reason of each reject is."""
    wanted = (step.name, "rejects")
    for one in job.steps:
        if any(origin == wanted for _, origin in one.sources()):
            return f"the output of '{one.name}' has the reason of each reject"
    return f"a step WriteRejects of '{step.name}.rejects' would keep the reason of each reject"
