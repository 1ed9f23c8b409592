"""The ledger as a table, the same for every verb."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tocsin.cli.console import table
from tocsin.foundation.ledger import FATES, Ledger, StepCount


def ledger_table(
    ledger: Ledger, balance: Callable[[StepCount], Any] = lambda count: count.balances
) -> str:
    """Counts by step. DETAILS are columns only if a step counted any.

    balance: what the last column shows of a step.
    """
    names = (*FATES, *ledger.details())
    rows = [
        [step, *(getattr(count, name) for name in names), balance(count)]
        for step, count in ledger.steps.items()
    ]
    return table(["step", *names, "balances"], rows, right=tuple(range(1, len(names) + 1)))
