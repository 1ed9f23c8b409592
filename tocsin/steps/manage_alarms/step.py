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
    """Decides of which alarms people are told, and keeps what they say to them.

    Inputs: `alarms`, events of Detect or Alert, one output or a list; and, if there are any, `commands` (acknowledge, shelve,
    unshelve). Output: what people are told, each alarm with one raise and one clear; output `suppressed`: events that they are
    not told of, with the reason; output `health`: the alarm system in windows; output `refused`: commands that name no alarm,
    or nothing that can be done; output `late`: commands behind their partition's watermark.

    States are those of ISA-18.2: unacknowledged, acknowledged, returned_unacknowledged, shelved, suppressed (by design), normal.
    An alarm that escalates is unacknowledged again. All of it is one block of state: alarms are few, a flood is 100,000.
    """

    in_a_job = {
        "input": {"alarms": "Detect.alarms"},
        "config": {"flapping": {"raises": 4, "within": "10 min", "quiet": "10 min"}},
    }

    inputs: ClassVar[dict[str, bool]] = {"alarms": True, "commands": False}
    takes: ClassVar[InputKind] = "alarms"
    keeps: ClassVar[str] = "the alarms, and what operators said to them"

    def keys(self) -> list[str]:
        """Alarms are followed by rule and key."""
        return ["rule", "key"]

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        """Follows all alarms in one shard."""
        return AlarmOperator(self, schema)

    def state_shape(self, schema: pa.Schema | None) -> str:
        """Alarms."""
        return "alarms that stand, are kept quiet or wait for an acknowledgement"

    def state_depends_on(self, schema: pa.Schema) -> dict[str, Any]:
        """Whether there are dependencies, and commands."""
        commands = any(name.startswith("commands.") for name in user_columns(schema))
        return {"inhibit": self.inhibit is not None, "commands": commands}
