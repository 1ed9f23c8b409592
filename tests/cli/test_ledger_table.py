"""The ledger as text: the fates, and details only if there are any."""

from __future__ import annotations

from tocsin.cli.ledger_table import ledger_table
from tocsin.foundation.ledger import Ledger, StepCount


def test_details_are_columns_only_if_a_step_counted_any() -> None:
    read = StepCount(read=5, kept=5)
    windows = StepCount(read=5, kept=4, late=1, late_for_some=2, missed_windows=1_234)
    assert ledger_table(Ledger({"Read": read})).splitlines()[0].split() == [
        "step", "read", "kept", "late", "rejected", "filtered", "balances"
    ]  # fmt: skip
    header, _, first, second = ledger_table(Ledger({"Read": read, "Windows": windows})).splitlines()
    assert header.split()[-3:] == ["late_for_some", "missed_windows", "balances"]
    assert first.split()[-3:] == ["0", "0", "yes"]
    assert second.split() == ["Windows", "5", "4", "1", "0", "0", "2", "1,234", "yes"]


def test_a_verb_chooses_what_it_shows_of_the_balance() -> None:
    table = ledger_table(Ledger({"Read": StepCount(read=5)}), lambda one: f"{one.in_flight} open")
    assert table.endswith("5 open")
