"""A ledger balances where rows were counted and each has one fate; without counts nobody knows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.foundation.ledger import FATES, REASONS, Ledger, StepCount

COUNTS = st.builds(StepCount, **{fate: st.integers(0, 5) for fate in FATES})
LEDGERS = st.builds(Ledger, st.dictionaries(st.sampled_from("abc"), COUNTS))


@given(ledger=LEDGERS)
def test_no_ledger_balances_without_counts(ledger: Ledger) -> None:
    has_counts = any(count != StepCount() for count in ledger.steps.values())
    assert (ledger.balances is None) is not has_counts
    if has_counts:
        odd = [count for count in ledger.steps.values() if count.in_flight]
        assert ledger.balances is not bool(odd)


@given(ledger=LEDGERS)
def test_steps_without_rows_do_not_change_whether_a_ledger_balances(ledger: Ledger) -> None:
    assert ledger.in_order([*ledger.steps, "more"]).balances is ledger.balances


@given(
    counts=st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from([*FATES, *REASONS, "busy"]), st.integers(0, 9)
        )
    )
)
def test_counters_of_a_step_add_up(counts: list[tuple[str, str, int]]) -> None:
    found = Ledger.of(counts)
    for step in "ab":
        for name in (*FATES, *REASONS):
            total = sum(number for *which, number in counts if which == [step, name])
            here = found.steps.get(step, StepCount())
            given = getattr(here, name) if name in FATES else found.reasons.get(step, {}).get(name)
            assert (given or 0) == total
