"""The account of all rows: read = kept + late + rejected + filtered, for every step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

FATES = ("read", "kept", "late", "rejected", "filtered")
DETAILS = ("late_for_some", "missed_windows", "ahead")
"""Counts that say more about rows that have a fate. They are no part of the balance."""
COUNTS = (*FATES, *DETAILS)
# Why a source rejects readings that it could decode. Other rejects have no counter of their own.
REASONS = ("no_event_time", "from_the_future")


@dataclass(frozen=True)
class StepCount:
    """Rows of one step by fate. An unreadable message counts as one row.

    Attributes:
        late_for_some: kept rows that missed some of their overlapping windows. They are in the
            output `late`, too.
        missed_windows: pairs of a row and an overlapping window that it missed, of rows late for
            some or for all of their windows.
        ahead: kept rows of a source that are more than `max_ahead` ahead of their partition.
    """

    read: int = 0
    kept: int = 0
    late: int = 0
    rejected: int = 0
    filtered: int = 0
    late_for_some: int = 0
    missed_windows: int = 0
    ahead: int = 0

    @property
    def balances(self) -> bool | None:
        """Whether every row is accounted for; None where no row was counted."""
        return None if self == type(self)() else self.in_flight == 0

    @property
    def in_flight(self) -> int:
        """Rows that were read and have no fate yet. Above 0 only while a job runs."""
        return self.read - self.kept - self.late - self.rejected - self.filtered


@dataclass(frozen=True)
class Ledger:
    """Counts by step name. reasons: rejected rows by step name and reason (`REASONS`)."""

    steps: dict[str, StepCount] = field(default_factory=dict)
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: Iterable[tuple[str, str, int]]) -> Ledger:
        """A ledger of (step, counter, number); equal ones add up, unknown counters are ignored."""
        steps: dict[str, dict[str, int]] = {}
        reasons: dict[str, dict[str, int]] = {}
        for step, counter, number in counts:
            if counter in COUNTS or counter in REASONS:
                found = (steps if counter in COUNTS else reasons).setdefault(step, {})
                found[counter] = found.get(counter, 0) + number
        return cls({step: StepCount(**fates) for step, fates in steps.items()}, reasons)

    @property
    def balances(self) -> bool | None:
        """Whether every step with rows balances; None where no step counted a row."""
        known = [one.balances for one in self.steps.values() if one.balances is not None]
        return all(known) if known else None

    def in_order(self, names: list[str]) -> Ledger:
        """The named steps in that order. A step without counts has zeros."""
        return Ledger({name: self.steps.get(name, StepCount()) for name in names}, self.reasons)

    def details(self) -> tuple[str, ...]:
        """Those of DETAILS that any step counted."""
        return tuple(
            name for name in DETAILS if any(getattr(count, name) for count in self.steps.values())
        )

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Counts by step name and name of the count, for JSON."""
        return {name: asdict(count) for name, count in self.steps.items()}
