"""Parts with keyed state, as the objects that keep it."""

from __future__ import annotations

import pyarrow as pa

from tocsin.parts.part import Part
from tocsin.steps.aggregate.gap_filling import GapFillingOperator
from tocsin.steps.aggregate.step import Aggregate
from tocsin.steps.aggregate.window_operator import WindowOperator
from tocsin.steps.deduplicate.step import Deduplicate, DeduplicationOperator
from tocsin.steps.detect.revision_operator import RevisionOperator
from tocsin.steps.detect.scoring_operator import ScoringOperator
from tocsin.steps.detect.step import Detect
from tocsin.steps.lookup.lookup_operator import LookupOperator
from tocsin.steps.lookup.step import Lookup
from tocsin.steps.manage_alarms.alarm_operator import AlarmOperator
from tocsin.steps.manage_alarms.step import ManageAlarms
from tocsin.steps.ordered.ordered_step import Sequence
from tocsin.steps.ordered.ordering_operator import OrderingOperator
from tocsin.steps.state.operator import KeyedStep
from tocsin.steps.window_join.join_operator import JoinOperator
from tocsin.steps.window_join.step import WindowJoin


def keyed_step(part: Part, schema: pa.Schema, rule: str) -> KeyedStep | None:
    """The keyed step of a part that has state, else None. rule: what its alarms are called where it does not say."""
    if isinstance(part, Aggregate):
        windower = WindowOperator(part, schema)
        return windower if part.fill_gaps is None else GapFillingOperator(windower, part.fill_gaps)
    if isinstance(part, Detect):
        watcher = ScoringOperator(part, schema, rule)
        return RevisionOperator(watcher) if part.revise else watcher
    if isinstance(part, Deduplicate):
        return DeduplicationOperator(part, schema)
    if isinstance(part, WindowJoin):
        return JoinOperator(part, schema)
    if isinstance(part, Sequence):
        return OrderingOperator(part, schema)
    if isinstance(part, Lookup):
        return LookupOperator(part, schema)
    if isinstance(part, ManageAlarms):
        return AlarmOperator(part, schema)
    return None
