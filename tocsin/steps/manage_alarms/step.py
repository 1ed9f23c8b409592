"""The ManageAlarms step."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa

from tocsin.kernels.batch import user_columns
from tocsin.parts.operator import Operator
from tocsin.parts.stateful_step import InputKind, StatefulStep
from tocsin.steps.manage_alarms.alarm_operator import AlarmOperator
from tocsin.steps.manage_alarms.settings import AlarmSettings


class ManageAlarms(AlarmSettings, StatefulStep):
    """Decides which alarms reach operators, and keeps their responses.

    Input `alarms`: events of Detect or Alert, one output or a list. Input `commands` (optional):
    acknowledge, shelve and unshelve.

    | output | rows |
    |---|---|
    | main | what operators receive: each alarm has one raise and one clear |
    | `suppressed` | events that operators do not receive, with the reason |
    | `health` | the health of the alarm system in windows |
    | `refused` | commands that name no alarm, or that cannot be carried out |
    | `late` | commands behind the watermark of their partition |

    States are those of ISA-18.2: unacknowledged, acknowledged, returned_unacknowledged, shelved,
    suppressed (by design), normal. An alarm that escalates becomes unacknowledged. One shard holds
    all alarms, because they are few: 100,000 in a flood.
    """

    in_a_job = {
        "input": {"alarms": "Detect.alarms"},
        "config": {"flapping": {"raises": 4, "within": "10 min", "quiet": "10 min"}},
    }

    inputs: ClassVar[dict[str, bool]] = {"alarms": True, "commands": False}
    takes: ClassVar[InputKind] = "alarms"
    keeps: ClassVar[str] = "the alarms, and the responses of operators"

    def keys(self) -> list[str]:
        """Alarms are followed by rule and key."""
        return ["rule", "key"]

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        """The operator that follows all alarms in one shard."""
        return AlarmOperator(self, schema)

    def state_shape(self, schema: pa.Schema | None) -> str:
        """What the state grows with."""
        return "alarms that are standing, suppressed or unacknowledged"

    def state_depends_on(self, schema: pa.Schema) -> dict[str, Any]:
        """Whether there are dependencies, and commands."""
        commands = any(name.startswith("commands.") for name in user_columns(schema))
        return {"inhibit": self.inhibit is not None, "commands": commands}
