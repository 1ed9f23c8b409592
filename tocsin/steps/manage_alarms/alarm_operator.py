"""Alarm management as a pure object: alarm events and commands in order of time, to what people are told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.alarms.event import ALARM_FIELDS, Severity
from tocsin.kernels.alarms import management as a
from tocsin.kernels.batch import (
    BEGINNING,
    EVENT_TIME,
    FOREVER,
    WATERMARK,
    Floats,
    Int64s,
    micros,
    no_rows,
    user_columns,
)
from tocsin.kernels.state.keyed_block import KeyedBlock, from_ipc, to_ipc
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.manage_alarms.dependencies import Topology
from tocsin.steps.manage_alarms.notifications import command_rows, health_rows, told_rows
from tocsin.steps.manage_alarms.settings import AlarmSettings
from tocsin.steps.state.late_rows import set_apart
from tocsin.steps.state.release_times import RELEASE, release_after
from tocsin.steps.state.row_log import rows_of, same_pieces
from tocsin.steps.state.union import rows_of_side

_KEYS = pa.schema([pa.field("rule", pa.string()), pa.field("key", pa.string())])
_ALARMS = pa.schema(ALARM_FIELDS)
_NOTE = b"tocsin.annunciator"
_VERSION = 1
_UNKNOWN = -2
_SEVERITIES = get_args(Severity)
_KINDS = {"raise": a.RAISE, "clear": a.CLEAR, "withdraw": a.WITHDRAW}
_COMMANDS = {"acknowledge": a.ACKNOWLEDGE, "shelve": a.SHELVE, "unshelve": a.UNSHELVE}


@dataclass
class _Desk:
    """What is known of alarms. rows: of alarm events, which ROW and EPISODE of the block count. things: by slot, what the
    alarm is about. look: when the next look at all is. raised: by severity, raises since the last."""

    block: KeyedBlock
    rows: pa.RecordBatch
    things: Int64s
    look: float = np.nan
    raised: list[float] = field(default_factory=lambda: [0.0] * a.RANKS)
    pieces: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class _Events:
    """In order of time; the arguments of `annunciate` of the same names."""

    times: Floats
    slots: Int64s
    kinds: Int64s
    values: Floats
    rows: Int64s


class AlarmOperator(Operator):
    """Follows all alarms in one shard."""

    def __init__(self, step: AlarmSettings, schema: pa.Schema) -> None:
        super().__init__(schema, step.outputs(schema))
        self.step = step
        self.topology = Topology(step.inhibit)
        self.has_commands = any(name.startswith("commands.") for name in user_columns(schema))
        flapping = step.flapping
        self.rule = np.array(
            [
                step.inhibit.wait if step.inhibit else 0,
                flapping.raises if flapping else 0,
                flapping.within if flapping else 0,
                flapping.quiet if flapping else 0,
                _SEVERITIES.index(step.schedule.unless)
                if step.schedule and step.schedule.unless
                else a.RANKS,
            ],
            np.float64,
        )
        self.start = np.zeros(a.WIDTH)
        self.start[a.WAKE], self.start[[a.ROW, a.EPISODE]], self.start[a.RAISES :] = (
            np.nan,
            -1.0,
            -np.inf,
        )

    def route(self, batch: pa.RecordBatch) -> Routed:
        """All to the one shard; commands behind their partition's watermark to `late`."""
        late = micros(batch.column(EVENT_TIME)) < micros(batch.column(WATERMARK))
        batch, outputs = set_apart(batch, late)
        by_shard = [(0, batch)] if batch.num_rows else []
        return Routed(by_shard, outputs, {"kept": batch.num_rows, "late": int(late.sum())})

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be released."""
        return (
            release_after(int(micros(batch.column(EVENT_TIME)).min())) if batch.num_rows else None
        )

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Follow what happened before `time`, up to the end of the input where it has one."""
        memory = {} if memory is None else memory
        desk: _Desk | None = memory.pop("desk", None)
        if desk is None or not same_pieces(desk.pieces, state):
            desk = self._read(state)
        rows = rows_of(log, self.shard_schema)
        ready = micros(rows.column(EVENT_TIME)) < time
        waiting = rows.filter(pa.array(~ready))
        horizon = time if time < FOREVER else (end if end is not None else BEGINNING)
        outputs, changed = self._follow(desk, rows.filter(pa.array(ready)), float(horizon))
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        if changed or not desk.pieces:
            self._forget(desk, time)
            desk.pieces = self._written(desk)
        wakes = desk.block.values[:, a.WAKE]
        due = [int(wakes[~np.isnan(wakes)].min())] if (~np.isnan(wakes)).any() else []
        due += [] if np.isnan(desk.look) else [int(desk.look)]
        due += [int(micros(waiting.column(EVENT_TIME)).min())] if waiting.num_rows else []
        memory["desk"] = desk
        left = [waiting] if waiting.num_rows else []
        return Advanced(outputs, desk.pieces, release_after(min(due)) if due else None, log=left)

    def _follow(
        self, desk: _Desk, rows: pa.RecordBatch, horizon: float
    ) -> tuple[list[tuple[str, pa.RecordBatch]], bool]:
        """Outputs, and whether anything is not as it was."""
        alarms = rows_of_side(rows, "alarms")
        commands = command_rows(rows_of_side(rows, "commands") if self.has_commands else None)
        known = desk.rows.num_rows
        desk.rows = (
            pa.concat_batches([desk.rows, alarms.select(_ALARMS.names).cast(_ALARMS)])
            if alarms.num_rows
            else desk.rows
        )
        events, order, refused = self._events(desk, alarms, commands, known)
        states, things = desk.block.values, desk.things
        wakes = states[:, a.WAKE]
        due = not np.isnan(wakes).all() and np.nanmin(wakes) < horizon
        if not len(events.times) and not due and not desk.look < horizon:
            return ([("refused", refused)] if refused.num_rows else []), False
        every = float(self.step.health.every)
        if np.isnan(desk.look) and len(events.times):
            desk.look = (events.times[0] // every + 1) * every
        codes = (
            pc.dictionary_encode(desk.rows.column("alarm_id"))
            .indices.to_numpy(zero_copy_only=False)
            .astype(np.int64)
        )
        ranks = (
            pc.index_in(desk.rows.column("severity"), pa.array(_SEVERITIES))
            .fill_null(0)
            .to_numpy(zero_copy_only=False)
        )
        above, active = self.topology.above, states[:, a.ACTIVE] == 1.0
        standing = np.bincount(things[active & (things >= 0)], minlength=len(above)).astype(
            np.int64
        )
        hangs_on = (
            np.where(things >= 0, above[things], -1)
            if len(above)
            else np.full(len(things), -1, np.int64)
        )
        opens, closes = self._hours(events, wakes, horizon)
        raised = np.array(desk.raised)
        told, looks, desk.look = a.annunciate(
            events.times, events.slots, events.kinds, events.values, events.rows, codes, ranks.astype(np.int64), states, things,
            hangs_on, above, self.topology.holds_up, standing, opens, closes, self.rule, horizon, desk.look, every, raised,
        )  # fmt: skip
        desk.raised = raised.tolist()
        outputs = [("refused", refused)] if refused.num_rows else []
        reasons = self._reasons(told, commands, order, things)
        for name, hidden in (("output", 0.0), ("suppressed", 1.0)):
            chosen = told[:, a.IS_HIDDEN] == hidden
            if chosen.any():
                outputs.append(
                    (name, told_rows(told[chosen], desk.rows, reasons[chosen], self.outputs[name]))
                )
        if len(looks):
            outputs.append(
                (
                    "health",
                    health_rows(looks, every, self.step.health.operators, self.outputs["health"]),
                )
            )
        return outputs, True

    def _events(
        self, desk: _Desk, alarms: pa.RecordBatch, commands: pa.RecordBatch, known: int
    ) -> tuple[_Events, Int64s, pa.RecordBatch]:
        """Alarm events and commands in one order; by event its row among alarms and then commands; and commands refused."""
        targets = self._targets(desk.rows, commands)
        is_known = targets.column("rule").is_valid().to_numpy(zero_copy_only=False)
        until = micros(commands.column("until"))
        at = micros(commands.column(EVENT_TIME))
        names = np.array(commands.column("command").fill_null("").to_pylist(), object)
        why = np.full(len(names), "", object)
        why[(names == "shelve") & (until <= at)] = "shelve needs `until`, a time after the command"
        why[~is_known] = "it names no alarm that is known, nor a rule and a key"
        why[~np.isin(names, list(_COMMANDS))] = f"it is none of {', '.join(_COMMANDS)}"
        good = why == ""
        refused = self._refused(commands, why)
        chosen = np.flatnonzero(good)
        keys = pa.concat_batches(
            [
                alarms.select(_KEYS.names).cast(_KEYS),
                targets.select(_KEYS.names).take(pa.array(chosen)),
            ]
        )
        slots = desk.block.slots(keys, self.start)
        desk.things = np.r_[
            desk.things, np.full(desk.block.keys.num_rows - len(desk.things), _UNKNOWN)
        ]
        self._find_things(desk, alarms, slots[: alarms.num_rows])
        happened = alarms.column("event").to_pylist()
        kinds = [_KINDS.get(event, a.CHANGE) for event in happened]
        worse = [float(event == "escalate") for event in happened]
        kinds += [_COMMANDS[name] for name in names[good]]
        code = targets.column("code").to_numpy(zero_copy_only=False)
        values = np.r_[worse, np.where(names == "shelve", until, code)[chosen]].astype(np.float64)
        steps = np.r_[micros(alarms.column(EVENT_TIME)), at[chosen]] // RELEASE
        # A revision tells of what was before: people are told when it comes.
        times = np.r_[
            np.maximum(micros(alarms.column("time")), steps[: alarms.num_rows] * RELEASE),
            at[chosen],
        ]
        is_command = np.r_[np.zeros(alarms.num_rows, bool), np.ones(len(chosen), bool)]
        order_table = pa.table({
            "step": steps, "time": times, "command": is_command, "rule": keys.column(0), "key": keys.column(1),
            "kind": pa.array(kinds, pa.int64()), "value": values,
        })  # fmt: skip
        order = pc.sort_indices(
            order_table, sort_keys=[(name, "ascending") for name in order_table.column_names]
        ).to_numpy()
        rows = np.r_[known + np.arange(alarms.num_rows), np.full(len(chosen), -1)]
        origins = np.r_[np.arange(alarms.num_rows), chosen][order].astype(np.int64)
        events = _Events(
            times[order].astype(np.float64),
            slots[order],
            np.array(kinds, np.int64)[order],
            values[order],
            rows[order],
        )
        return events, origins, refused

    def _targets(self, rows: pa.RecordBatch, commands: pa.RecordBatch) -> pa.RecordBatch:
        """Rule and key that each command is for, and the code of the one alarm that it names, or -1."""
        dictionary = pc.dictionary_encode(rows.column("alarm_id"))
        code = (
            pc.index_in(commands.column("alarm_id"), dictionary.dictionary)
            if rows.num_rows
            else pa.nulls(commands.num_rows)
        )
        at = pc.index_in(commands.column("alarm_id"), rows.column("alarm_id"))
        named = commands.column("alarm_id").is_valid()
        found = {
            name: pc.if_else(named, rows.column(name).take(at), commands.column(name))
            for name in _KEYS.names
        }
        both = pc.and_(found["rule"].is_valid(), found["key"].is_valid())
        nothing = pa.scalar(None, pa.string())
        columns = [pc.if_else(both, found[name], nothing) for name in _KEYS.names]
        codes = code.cast(pa.int64()).fill_null(-1)
        return pa.RecordBatch.from_arrays([*columns, codes], names=[*_KEYS.names, "code"])

    def _refused(self, commands: pa.RecordBatch, why: Any) -> pa.RecordBatch:
        schema = self.outputs["refused"]
        bad = pa.array(why != "")
        rows = commands.filter(bad)
        messages = pa.array(why[why != ""].tolist(), pa.string())
        return pa.RecordBatch.from_arrays(
            [
                messages if field.name == "message" else rows.column(field.name).cast(field.type)
                for field in schema
            ],
            schema=schema,
        )

    def _find_things(self, desk: _Desk, alarms: pa.RecordBatch, slots: Int64s) -> None:
        """What the alarms are about that have labels for the first time."""
        if not len(self.topology.above):
            desk.things[:] = -1
            return
        new, first = np.unique(slots, return_index=True)
        first = first[desk.things[new] == _UNKNOWN]
        for slot, labels in zip(
            slots[first], alarms.column("labels").take(pa.array(first)).to_pylist(), strict=True
        ):
            desk.things[slot] = self.topology.thing(dict(labels or []))

    def _hours(self, events: _Events, wakes: Floats, horizon: float) -> tuple[Floats, Floats]:
        if self.step.schedule is None:
            return np.zeros(0), np.zeros(0)
        times = np.r_[events.times, wakes[~np.isnan(wakes)]]
        if not len(times):
            return np.zeros(0), np.zeros(0)
        return self.step.schedule.spans(float(times.min()), float(max(times.max(), horizon)))

    def _reasons(
        self, told: Floats, commands: pa.RecordBatch, order: Int64s, things: Int64s
    ) -> Any:
        """Why, in words, or None."""
        who, said = commands.column("by").to_pylist(), commands.column("reason").to_pylist()
        reasons = np.full(len(told), None, object)
        columns = [a.WHOSE, a.WHAT, a.IS_HIDDEN, a.WHY, a.COMMAND]
        for at, (slot, what, hidden, why, command) in enumerate(
            told[:, columns].astype(np.int64).tolist()
        ):
            parts = []
            if command >= 0:
                row = order[command]
                parts += [f"by {who[row]}"] if who[row] else []
                parts += [str(said[row])] if said[row] else []
            elif (
                why > 0
                and not hidden
                and a.TOLD[what] in ("raise", "resume")
                and a.REASONS[why] != "flapping"
            ):
                parts.append(f"no longer {a.REASONS[why]}")
            elif why == 1 and things[slot] >= 0:
                parts.append(
                    f"inhibited: it hangs on {self.topology.names[self.topology.above[things[slot]]]}"
                )
            elif why > 0:
                parts.append(a.REASONS[why])
            reasons[at] = ": ".join(parts) or None
        return reasons

    def _forget(self, desk: _Desk, time: int) -> None:
        """Alarms of which there is nothing more to know, and rows that nothing counts any more."""
        states = desk.block.values
        rests = (states[:, [a.ACTIVE, a.SHOWN, a.HIDDEN, a.FLAPS]] == 0.0).all(axis=1) & (
            states[:, a.SHELVED_UNTIL] <= time
        )
        waits = (
            (states[:, a.RETURNED] == 1.0)
            & self.has_commands
            & (states[:, a.CHANGED] + self.step.forget > time)
        )
        kept = ~rests | waits
        if self.step.flapping:
            # Raises that count towards flapping.
            kept |= (
                states[:, a.RAISES + self.step.flapping.raises - 1] + self.step.flapping.within
                > time
            )
        if not kept.all():
            desk.block.keep(kept)
            desk.things = desk.things[kept]
            states = desk.block.values
        used = states[:, [a.ROW, a.EPISODE]]
        rows, back = np.unique(used[used >= 0].astype(np.int64), return_inverse=True)
        used[used >= 0] = back
        states[:, [a.ROW, a.EPISODE]] = used
        desk.rows = desk.rows.take(pa.array(rows))

    def _read(self, state: list[bytes]) -> _Desk:
        """Raises ValueError for another version's."""
        if not state:
            return _Desk(KeyedBlock.empty(_KEYS, a.WIDTH), no_rows(_ALARMS), np.zeros(0, np.int64))
        block, rows = KeyedBlock.from_bytes(state[0]), from_ipc(state[1])
        note = json.loads((rows.schema.metadata or {}).get(_NOTE, b"{}"))
        if note.get("version") != _VERSION:
            raise ValueError(
                f"alarm management state of another version, this program reads version {_VERSION}"
            )
        look = np.nan if note["look"] is None else note["look"]
        things = (
            np.array(note["things"], np.int64)
            if note["things"]
            else np.full(block.keys.num_rows, -1, np.int64)
        )
        return _Desk(
            block, rows.replace_schema_metadata(None), things, look, note["raised"], list(state)
        )

    def _written(self, desk: _Desk) -> list[bytes]:
        note = {
            "version": _VERSION,
            "look": None if np.isnan(desk.look) else desk.look,
            "raised": desk.raised,
            "things": desk.things.tolist() if len(self.topology.above) else [],
        }
        return [
            desk.block.to_bytes(),
            to_ipc(desk.rows.replace_schema_metadata({_NOTE: json.dumps(note)}), "lz4"),
        ]
