"""The sentence about a run whose input was all rejected or late, with the likely cause."""

from __future__ import annotations

from tocsin.compiler.job import Job, Step
from tocsin.foundation.ledger import Ledger, StepCount
from tocsin.kernels.time.durations import format_duration
from tocsin.parts.source import Source

_WHY_LATE = (
    "Likely cause: the order of the files or messages. "
    "A reading is late if earlier ones moved the watermark past its window. "
    "Sort the input by time, or raise out_of_orderness or allowed_lateness. "
    "One event time far ahead has the same effect; max_future rejects it"
)


def lost_input(job: Job, ledger: Ledger) -> str | None:
    """What became of an input that a step rejected or found late as a whole; None if none did.

    A source loses its input if it keeps no row. Another step loses it if it keeps no row, and its
    rejected and late rows are at least half of the rows that the sources kept.
    """
    sources = {step.name for step in job.steps if step.is_source}
    kept = sum(count.kept for name, count in ledger.steps.items() if name in sources)
    for step in job.steps:
        count = ledger.steps.get(step.name, StepCount())
        gone = count.rejected + count.late
        if count.kept or not gone or (step.name not in sources and 2 * gone < kept):
            continue
        fate = "late" if count.late > count.rejected else "rejected"
        rows = f"all {gone:,} rows" if gone > 1 else "the only row"
        verb = "were" if gone > 1 else "was"
        reasons = ledger.reasons.get(step.name, {})
        why = _WHY_LATE if fate == "late" else _why_rejected(job, step, count, reasons)
        return f"{step.name}: {rows} {verb} {fate}. {why}"
    return None


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
