"""Alarms, items and policies for the tests of single kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.alarms.columns import ALARM_STATE, EVENT, by_name, start_state
from tocsin.kernels.alarms.inputs import Policy
from tocsin.kernels.alarms.vocabulary import NOTHING, REVIEW

MINUTE = 60e6


def alarms(count: int, **columns: Any) -> Any:
    """States of alarms that nothing has happened to, except for some columns."""
    found = by_name(np.tile(start_state(), (count, 1)), ALARM_STATE)
    for name, values in columns.items():
        found[name] = values
    return found


def alarm(**columns: Any) -> Any:
    """One state, as `alarms`."""
    return alarms(1, **columns)[0]


def changes(before: Any, after: Any) -> dict[str, Any]:
    """The columns that differ between two states."""
    return {
        name: after[name].tolist()
        for name in ALARM_STATE.names
        if not np.array_equal(before[name], after[name], equal_nan=True)
    }


def item(kind: int = REVIEW, time: float = 0.0, **columns: Any) -> Any:
    """An EVENT that names no episode, no row and no command, except for some columns."""
    found = np.zeros(1, EVENT).view(np.recarray)
    found.episode = found.row = found.command = NOTHING
    found.kind, found.time = kind, time
    for name, value in columns.items():
        found[name] = value
    return found[0]


def policy(**columns: Any) -> Policy:
    """A policy without delay, flapping and severities that ignore the schedule."""
    plain = Policy(delay=0.0, flap_raises=0, flap_within=0.0, flap_quiet=0.0, always_from=5)
    return plain._replace(**columns)
