"""Alarm events and commands as one sequence, in order of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.alarms.columns import EVENT
from tocsin.kernels.alarms.vocabulary import (
    ACKNOWLEDGE,
    CHANGE,
    CLEAR,
    NOTHING,
    RAISE,
    SHELVE,
    UNSHELVE,
    WITHDRAW,
)
from tocsin.kernels.batch import EVENT_TIME, Int64s, micros
from tocsin.steps.manage_alarms.shard_state import KEYS
from tocsin.steps.state.release_times import RELEASE

_EVENTS = {"raise": RAISE, "clear": CLEAR, "withdraw": WITHDRAW}
_COMMANDS = {"acknowledge": ACKNOWLEDGE, "shelve": SHELVE, "unshelve": UNSHELVE}


def targets_of(commands: pa.RecordBatch, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rule and key that each command names, by itself or by an `alarm_id`; null if unknown."""
    at = pc.index_in(commands.column("alarm_id"), rows.column("alarm_id"))
    is_named = commands.column("alarm_id").is_valid()
    found = {
        name: pc.if_else(is_named, rows.column(name).take(at), commands.column(name))
        for name in KEYS.names
    }
    is_known = pc.and_(found["rule"].is_valid(), found["key"].is_valid())
    nothing = pa.scalar(None, pa.string())
    columns = [pc.if_else(is_known, found[name], nothing) for name in KEYS.names]
    return pa.RecordBatch.from_arrays(columns, schema=KEYS)


def refusals(commands: pa.RecordBatch, targets: pa.RecordBatch) -> Any:
    """Why each command is refused; '' if it is not."""
    names = np.array(commands.column("command").fill_null("").to_pylist(), object)
    until, at = micros(commands.column("until")), micros(commands.column(EVENT_TIME))
    is_known = targets.column("rule").is_valid().to_numpy(zero_copy_only=False)
    why = np.full(len(names), "", object)
    why[(names == "shelve") & (until <= at)] = "shelve needs `until`, a time after the command"
    why[~is_known] = "it names no alarm that is known, nor a rule and a key"
    why[~np.isin(names, list(_COMMANDS))] = f"it is none of {', '.join(_COMMANDS)}"
    return why


def alarm_events(alarms: pa.RecordBatch, slots: Int64s, first: int, episodes: Int64s) -> Any:
    """Alarm events as EVENT records. first: the row of the first. episodes: by row."""
    events: Any = np.zeros(alarms.num_rows, EVENT).view(np.recarray)
    names = alarms.column("event").to_pylist()
    # Operators learn of a revision when it arrives.
    released = micros(alarms.column(EVENT_TIME)) // RELEASE * RELEASE
    events.time = np.maximum(micros(alarms.column("time")), released)
    events.slot = slots
    events.kind = [_EVENTS.get(name, CHANGE) for name in names]
    events.value = [name == "escalate" for name in names]
    events.row = first + np.arange(alarms.num_rows)
    events.episode = episodes[events.row]
    events.command = NOTHING
    return events


def command_events(
    commands: pa.RecordBatch,
    accepted: Int64s,
    slots: Int64s,
    known: pa.RecordBatch,
    episodes: Int64s,
) -> Any:
    """The accepted commands as EVENT records. known: rows of alarm events. episodes: of them."""
    events: Any = np.zeros(len(accepted), EVENT).view(np.recarray)
    chosen = commands.take(pa.array(accepted))
    events.time = micros(chosen.column(EVENT_TIME))
    events.slot = slots
    events.kind = [_COMMANDS[name] for name in chosen.column("command").to_pylist()]
    events.value = np.where(events.kind == SHELVE, micros(chosen.column("until")), 0)
    at = pc.index_in(chosen.column("alarm_id"), known.column("alarm_id")).fill_null(NOTHING)
    row = at.to_numpy(zero_copy_only=False).astype(np.int64)
    is_named = (events.kind == ACKNOWLEDGE) & (row != NOTHING)
    events.episode = NOTHING
    events.episode[is_named] = episodes[row[is_named]]
    events.row = NOTHING
    events.command = accepted
    return events


def in_order(events: Any, arrived: Int64s, keys: pa.RecordBatch) -> Any:
    """Events in the order in which they count: released together, then by time.

    At one time alarm events precede commands, and equal ones follow the alarm's rule and key, so
    that the order does not depend on arrival. arrived: event time of the row, microseconds.
    """
    table = pa.table({
        "released": arrived // RELEASE,
        "time": events.time,
        "is_command": events.command != NOTHING,
        "rule": keys.column("rule"),
        "key": keys.column("key"),
        "kind": events.kind,
        "detail": np.where(events.kind == ACKNOWLEDGE, events.episode, events.value),
    })  # fmt: skip
    order = pc.sort_indices(table, [(name, "ascending") for name in table.column_names])
    return events[order.to_numpy()]
