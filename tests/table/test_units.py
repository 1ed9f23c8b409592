"""Units: their moment and mark, from their name."""

from __future__ import annotations

import pytest

from tocsin.table.units import Unit

MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("name", "moment", "mark"),
    [
        (f"{15 * MINUTE}.s003.r0", 30 * MINUTE, ("w/s003", 30 * MINUTE)),
        (f"{15 * MINUTE}.s003.r1", 35 * MINUTE, ("w/s003", 35 * MINUTE)),
        (f"{-15 * MINUTE}.s000.r0", 0, ("w/s000", 0)),
        (f"{15 * MINUTE}.s000.r0.2", 30 * MINUTE, (f"w/{15 * MINUTE}.s000.r0.2", 1)),
    ],
)
def test_a_unit_falls_due_at_the_end_of_its_span_and_lateness(
    name: str, moment: int, mark: tuple[str, int]
) -> None:
    unit = Unit.of(name, 15 * MINUTE, 5 * MINUTE)
    assert (unit.moment, unit.mark("w")) == (moment, mark)
    assert unit.until - unit.start == 15 * MINUTE
