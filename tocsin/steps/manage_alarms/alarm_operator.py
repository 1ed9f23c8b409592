"""Alarm management as a state machine: alarm events and commands to notifications."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.alarms.event import Severity
from tocsin.kernels.alarms.columns import SEVERITIES
from tocsin.kernels.alarms.inputs import Alarms, Assets, Policy, Rows, Sampling
from tocsin.kernels.alarms.inputs import Schedule as Hours
from tocsin.kernels.alarms.management import manage
from tocsin.kernels.batch import BEGINNING, EVENT_TIME, FOREVER, WATERMARK, micros, user_columns
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.manage_alarms.dependencies import Topology
from tocsin.steps.manage_alarms.notifications import (
    command_rows,
    health_rows,
    notification_rows,
    reason_texts,
    refused_rows,
)
from tocsin.steps.manage_alarms.settings import AlarmSettings
from tocsin.steps.manage_alarms.shard_state import KEYS, ShardState, note_of, read_state
from tocsin.steps.manage_alarms.timeline import (
    alarm_events,
    command_events,
    in_order,
    refusals,
    targets_of,
)
from tocsin.steps.state.late_rows import set_apart
from tocsin.steps.state.release_times import first_release, release_after
from tocsin.steps.state.row_log import rows_of, same_pieces
from tocsin.steps.state.union import rows_of_side

_RANKS = get_args(Severity)
Outputs = list[tuple[str, pa.RecordBatch]]


class AlarmOperator(Operator):
    """Follows all alarms in one shard."""

    version = 2
    state_name = "alarm state"

    def __init__(self, step: AlarmSettings, schema: pa.Schema) -> None:
        super().__init__(schema, step.outputs(schema))
        self.step = step
        self.topology = Topology(step.inhibit)
        self.has_commands = any(name.startswith("commands.") for name in user_columns(schema))
        self.policy = _policy(step)

    def route(self, batch: pa.RecordBatch) -> Routed:
        """All rows to the one shard; commands behind their partition's watermark to `late`."""
        late = micros(batch.column(EVENT_TIME)) < micros(batch.column(WATERMARK))
        batch, outputs = set_apart(batch, late)
        counts = {"kept": batch.num_rows, "late": int(late.sum())}
        return Routed(self.split(batch), outputs, counts)

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be released."""
        return first_release(batch)

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Follow what happened before `time`; at the end of a bounded input, before `end`."""
        memory = {} if memory is None else memory
        # Removed while it changes, so that an exception cannot leave a half-updated state behind.
        shard: ShardState | None = memory.pop("shard", None)
        if shard is None or not same_pieces(shard.pieces, state):
            shard = self._read(state)
        rows = rows_of(log, self.shard_schema)
        ready = micros(rows.column(EVENT_TIME)) < time
        waiting = rows.filter(pa.array(~ready))
        horizon = time if time < FOREVER else (end if end is not None else BEGINNING)
        outputs, changed = self._follow(shard, rows.filter(pa.array(ready)), float(horizon))
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        if changed or not shard.pieces:
            shard.forget(self._is_kept(shard.alarms, time))
            shard.write(self.note(**shard.values()))
        memory["shard"] = shard
        due = self._next_due(shard, waiting)
        return Advanced(outputs, shard.pieces, due, log=[waiting] if waiting.num_rows else [])

    def _read(self, pieces: list[bytes]) -> ShardState:
        """Raises ValueError if another version wrote it."""
        return read_state(pieces, self.read_note(note_of(pieces))) if pieces else ShardState.empty()

    def _next_due(self, shard: ShardState, waiting: pa.RecordBatch) -> int | None:
        times = [shard.alarms.wake_at, micros(waiting.column(EVENT_TIME)), [shard.next_sample]]
        due = np.concatenate(times).astype(np.float64)
        return None if np.isnan(due).all() else release_after(int(np.nanmin(due)))

    def _follow(
        self, shard: ShardState, rows: pa.RecordBatch, horizon: float
    ) -> tuple[Outputs, bool]:
        """Outputs, and whether the state changed."""
        alarms = rows_of_side(rows, "alarms")
        commands = command_rows(rows_of_side(rows, "commands") if self.has_commands else None)
        events, why = self._merge(shard, alarms, commands)
        outputs: Outputs = []
        if (why != "").any():
            outputs.append(("refused", refused_rows(commands, why, self.outputs["refused"])))
        is_due = (shard.alarms.wake_at < horizon).any() or shard.next_sample < horizon
        if not len(events) and not is_due:
            return outputs, False
        notifications, samples = self._manage(shard, events, horizon)
        parents = self.topology.parents_of(shard.assets)
        for name, withheld in (("output", False), ("suppressed", True)):
            chosen = notifications[notifications.withheld == withheld]
            if len(chosen):
                reasons = reason_texts(chosen, commands, parents, self.topology.names)
                made = notification_rows(chosen, shard.rows, reasons, self.outputs[name])
                outputs.append((name, made))
        if len(samples):
            health, schema = self.step.health, self.outputs["health"]
            rows = health_rows(samples, float(health.every), health.operators, schema)
            outputs.append(("health", rows))
        return outputs, True

    def _merge(
        self, shard: ShardState, alarms: pa.RecordBatch, commands: pa.RecordBatch
    ) -> tuple[Any, Any]:
        """Alarm events and accepted commands in order; why each command is refused, or ''."""
        known = shard.rows.num_rows
        everything = [shard.rows, alarms.select(shard.rows.schema.names).cast(shard.rows.schema)]
        targets = targets_of(commands, pa.concat_batches(everything))
        why = refusals(commands, targets)
        accepted = np.flatnonzero(why == "")
        keys = pa.concat_batches(
            [alarms.select(KEYS.names).cast(KEYS), targets.take(pa.array(accepted))]
        )
        slots = shard.add(alarms, keys, self.topology)
        count, episodes = alarms.num_rows, shard.episodes()
        events = np.concatenate([
            alarm_events(alarms, slots[:count], known, episodes),
            command_events(commands, accepted, slots[count:], shard.rows, episodes),
        ]).view(np.recarray)  # fmt: skip
        arrived = [micros(alarms.column(EVENT_TIME)), micros(commands.column(EVENT_TIME))[accepted]]
        return in_order(events, np.concatenate(arrived), keys), why

    def _manage(self, shard: ShardState, events: Any, horizon: float) -> tuple[Any, Any]:
        """Notifications and health samples; the state is changed."""
        every = float(self.step.health.every)
        if np.isnan(shard.next_sample) and len(events):
            shard.next_sample = float((events.time[0] // every + 1) * every)
        severities = pc.index_in(shard.rows.column("severity"), pa.array(_RANKS)).fill_null(0)
        ranks = severities.to_numpy(zero_copy_only=False).astype(np.int64)
        active = shard.assets[(shard.alarms.active == 1.0) & (shard.assets >= 0)]
        counts = np.bincount(active, minlength=len(self.topology.names)).astype(np.int64)
        raised = np.array(shard.raised, np.int64)
        notifications, samples, shard.next_sample = manage(
            events,
            Rows(shard.episodes(), ranks),
            Alarms(shard.alarms, shard.assets, self.topology.parents_of(shard.assets)),
            Assets(self.topology.parents, self.topology.has_children, counts),
            self.policy,
            self._hours(events, shard.alarms.wake_at, horizon),
            Sampling(shard.next_sample, every, raised),
            horizon,
        )
        shard.raised = raised.tolist()
        return notifications.view(np.recarray), samples.view(np.recarray)

    def _hours(self, events: Any, wakes: Any, horizon: float) -> Hours:
        times = np.r_[events.time, wakes[~np.isnan(wakes)]]
        if self.step.schedule is None or not len(times):
            return Hours(np.zeros(0), np.zeros(0))
        last = max(float(times.max()), horizon)
        return Hours(*self.step.schedule.spans(float(times.min()), last))

    def _is_kept(self, alarms: Any, time: int) -> Any:
        """Alarms that operators may still hear of, that wait for them, or that may flap."""
        is_open = (alarms.active == 1.0) | (alarms.announced == 1.0) | (alarms.withheld == 1.0)
        kept = is_open | (alarms.flapping == 1.0) | (alarms.shelved_until > time)
        if self.has_commands:
            kept |= (alarms.returned == 1.0) & (alarms.changed_at + self.step.forget > time)
        if self.step.flapping:
            last_raise = alarms.raises[:, self.step.flapping.raises - 1]
            kept |= last_raise + self.step.flapping.within > time
        return kept


def _policy(step: AlarmSettings) -> Policy:
    flapping, schedule = step.flapping, step.schedule
    always_from = _RANKS.index(schedule.unless) if schedule and schedule.unless else SEVERITIES
    return Policy(
        delay=float(step.inhibit.wait if step.inhibit else 0),
        flap_raises=flapping.raises if flapping else 0,
        flap_within=float(flapping.within if flapping else 0),
        flap_quiet=float(flapping.quiet if flapping else 0),
        always_from=always_from,
    )
