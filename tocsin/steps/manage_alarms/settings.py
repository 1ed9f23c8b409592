"""What alarm management is configured with, and the columns that it takes and gives."""

from __future__ import annotations

import pyarrow as pa

from tocsin.alarms.event import ALARM_FIELDS
from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.alarms.columns import RING
from tocsin.kernels.batch import SYSTEM_FIELDS, TIMESTAMP, traits, user_columns, with_traits
from tocsin.parts.fields import Duration
from tocsin.parts.part import Param, Part
from tocsin.steps.manage_alarms.dependencies import Inhibition
from tocsin.steps.manage_alarms.schedule import Schedule
from tocsin.steps.state.union import side_column

COMMAND_FIELDS = (
    pa.field("command", pa.string()),
    pa.field("alarm_id", pa.string()),
    pa.field("rule", pa.string()),
    pa.field("key", pa.string()),
    pa.field("until", TIMESTAMP),
    pa.field("by", pa.string()),
    pa.field("reason", pa.string()),
)
"""Columns of a command. It is for the alarm `alarm_id`, or for those of a `rule` and `key`; `until`: the end of a shelving."""

HEALTH_FIELDS = (
    pa.field("window_start", TIMESTAMP),
    pa.field("window_end", TIMESTAMP),
    pa.field("raised", pa.int64()),
    *(
        pa.field(f"raised_{name}", pa.int64())
        for name in ("informational", "low", "medium", "high", "critical")
    ),
    pa.field("raised_per_operator", pa.float64()),
    pa.field("flood", pa.bool_()),
    pa.field("standing", pa.int64()),
    pa.field("unacknowledged", pa.int64()),
    pa.field("stale", pa.int64()),
    pa.field("shelved", pa.int64()),
    pa.field("suppressed", pa.int64()),
    pa.field("flapping", pa.int64()),
)
"""The alarm system in a window, in the terms of ISA-18.2: raises that people were told of, and at its end the alarms that stand
(of which nobody acknowledged, longer than a day), are shelved, suppressed, flapping. `flood`: ten or more an operator in ten
minutes, or as many for the window's length."""


class Flapping(Part):
    """An alarm that comes and goes: people are told of one, which is over when it has been quiet."""

    raises: int = Param(4, help="so many raises", ge=2, le=RING)
    within: Duration = Param("10 min", help="within so long", validate_default=True)
    quiet: Duration = Param(
        "10 min", help="time without a raise or clear after which it is over", validate_default=True
    )


class Health(Part):
    """How well the alarm system does, in windows."""

    every: Duration = Param("10 min", help="length of a window", validate_default=True)
    operators: int = Param(1, help="people who look at the alarms", ge=1)


class AlarmSettings(Part):
    """The parameters of alarm management, and the columns that it gives."""

    inhibit: Inhibition | None = Param(None, help="what hangs on what")
    flapping: Flapping | None = Param(
        Flapping(), help="what to do with an alarm that comes and goes; null: nothing"
    )
    schedule: Schedule | None = Param(None, help="when people are told")
    health: Health = Param(Health(), help="how the alarm system is watched")
    forget: Duration = Param(
        "30 d", help="how long a cleared alarm waits for its acknowledgement", validate_default=True
    )

    def check_input(self, schema: pa.Schema) -> None:
        """Raises Faults where the inputs, put together, have not the columns."""
        collector = Collector()
        with collector:
            missing = [
                f.name for f in ALARM_FIELDS if side_column("alarms", f.name) not in schema.names
            ]
            if missing:
                raise Fault(
                    f"`alarms` takes alarm events, such as Detect.alarms; its input lacks {', '.join(missing)}"
                )
        with collector:
            has = [
                f.name for f in COMMAND_FIELDS if side_column("commands", f.name) in schema.names
            ]
            is_there = any(name.startswith("commands.") for name in user_columns(schema))
            if is_there and not (
                "command" in has and ("alarm_id" in has or {"rule", "key"} <= set(has))
            ):
                raise Fault(
                    "`commands` needs the columns `command`, and `alarm_id` or `rule` and `key`"
                )
        with collector:
            if self.inhibit is not None:
                self.inhibit.check()
        collector.done()

    def outputs(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """Schemas by output. Raises Faults."""
        self.check_input(schema)
        alarms = pa.schema([*ALARM_FIELDS, *SYSTEM_FIELDS])
        changes = {
            "stage": traits(schema).stage + 1,
            "allowed_lateness": traits(schema).allowed_lateness,
        }
        told = with_traits(alarms, keys=("alarm_id", "event", "time"), **changes)
        commands = [*COMMAND_FIELDS, pa.field("message", pa.string()), *SYSTEM_FIELDS]
        return {
            "output": told,
            "suppressed": told,
            "health": with_traits(pa.schema([*HEALTH_FIELDS, *SYSTEM_FIELDS]), **changes),
            "refused": with_traits(pa.schema(commands), **changes),
            "late": schema,
        }
