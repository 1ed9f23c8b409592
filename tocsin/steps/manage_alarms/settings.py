"""Parameters of alarm management, and the columns of its inputs and outputs."""

from __future__ import annotations

import pyarrow as pa
from pydantic import field_validator

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
"""Columns of a command for the alarm `alarm_id`, or for the alarm of a `rule` and `key`.

`until`: end of a shelving; `by`, `reason`: who sent the command, and why.
"""

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
"""Health of the alarm system in a window, in the terms of ISA-18.2.

| column | meaning |
|---|---|
| `raised`, `raised_high`, … | raises that operators received in the window, also by severity |
| `raised_per_operator` | `raised` divided by the number of operators |
| `flood` | 10 or more raises per operator in 10 minutes, scaled to the window's length |
| `standing` | alarms that operators received and that are not clear, at the window's end |
| `unacknowledged`, `stale` | standing without an acknowledgement, for more than 24 hours |
| `shelved`, `suppressed`, `flapping` | alarms in that condition at the window's end |
"""


class Flapping(Part):
    """Reports an alarm that is raised and cleared too often as one, until it has been quiet."""

    raises: int = Param(4, help="number of raises that make an alarm flap", ge=2, le=RING)
    within: Duration = Param("10 min", help="time within which they occur", validate_default=True)
    quiet: Duration = Param(
        "10 min", help="time without a raise or clear that ends it", validate_default=True
    )


class Health(Part):
    """Measures the health of the alarm system in windows."""

    every: Duration = Param("10 min", help="length of a window", validate_default=True)
    operators: int = Param(1, help="number of operators who respond to alarms", ge=1)

    @field_validator("every")
    @classmethod
    def _is_long(cls, value: int) -> int:
        if value < 1_000_000:
            raise ValueError("a window of health has at least 1 s")
        return value


class AlarmSettings(Part):
    """The parameters of alarm management, and the schemas of its outputs."""

    inhibit: Inhibition | None = Param(
        None, help="suppress alarms while an upstream asset is in alarm"
    )
    flapping: Flapping | None = Param(Flapping(), help="when an alarm flaps; null: never")
    schedule: Schedule | None = Param(None, help="when operators are notified")
    health: Health = Param(Health(), help="how health is measured")
    forget: Duration = Param(
        "30 d", help="how long a cleared alarm waits for an acknowledgement", validate_default=True
    )

    def check_input(self, schema: pa.Schema) -> None:
        """Raises Faults if the inputs lack a column."""
        collector = Collector()
        with collector:
            missing = [
                f.name for f in ALARM_FIELDS if side_column("alarms", f.name) not in schema.names
            ]
            if missing:
                raise Fault(
                    "`alarms` takes alarm events, such as Detect.alarms; "
                    f"its input lacks {', '.join(missing)}"
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
        """Schemas by output name. Raises Faults as `check_input` does."""
        self.check_input(schema)
        alarms = pa.schema([*ALARM_FIELDS, *SYSTEM_FIELDS])
        changes = {
            "stage": traits(schema).stage + 1,
            "allowed_lateness": traits(schema).allowed_lateness,
        }
        notifications = with_traits(alarms, keys=("alarm_id", "event", "time"), **changes)
        commands = [*COMMAND_FIELDS, pa.field("message", pa.string()), *SYSTEM_FIELDS]
        return {
            "output": notifications,
            "suppressed": notifications,
            "health": with_traits(pa.schema([*HEALTH_FIELDS, *SYSTEM_FIELDS]), **changes),
            "refused": with_traits(pa.schema(commands), **changes),
            "late": schema,
        }
