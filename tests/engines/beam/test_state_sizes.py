"""The size of cached state counts its bytes, at any depth."""

from __future__ import annotations

from apache_beam.runners.worker import statecache
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engines.beam.state_sizes import our_state_sizes, state_size

STATE = st.recursive(st.binary(max_size=50) | st.text(max_size=50) | st.none(), st.lists)


@given(state=STATE, more=st.binary(min_size=1, max_size=50))
def test_more_state_is_larger(state: object, more: bytes) -> None:
    assert state_size([state, more]) >= state_size([state]) + len(more)
    assert state_size(state, more) == state_size(state) + state_size(more)


def test_bytes_are_counted_within_lists_and_tuples() -> None:
    assert state_size(b"a" * 1_000) >= 1_000
    assert state_size([(b"a" * 1_000, b"b" * 500)]) >= 1_500
    assert 0 < state_size(object()) < 100


def test_beam_uses_these_sizes_during_a_run_and_its_own_after_it() -> None:
    own = statecache.get_deep_size
    with our_state_sizes():
        assert statecache.get_deep_size is state_size
    assert statecache.get_deep_size is own
