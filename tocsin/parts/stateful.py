"""Parts with keyed state, as the objects that keep it."""

from __future__ import annotations

import pyarrow as pa

from tocsin.parts.aggregate import Aggregate
from tocsin.parts.annunciator import Annunciator
from tocsin.parts.deduplicate import Deduplicate, Deduplicator
from tocsin.parts.detect import Detect
from tocsin.parts.gap_filler import GapFiller
from tocsin.parts.joiner import Joiner
from tocsin.parts.keyed import KeyedStep
from tocsin.parts.lookup import Lookup
from tocsin.parts.manage_alarms import ManageAlarms
from tocsin.parts.part import Part
from tocsin.parts.registrar import Registrar
from tocsin.parts.reviser import Reviser
from tocsin.parts.sequence import Sequence
from tocsin.parts.sequencer import Sequencer
from tocsin.parts.watcher import Watcher
from tocsin.parts.window_join import WindowJoin
from tocsin.parts.windower import Windower


def keyed_step(part: Part, schema: pa.Schema, rule: str) -> KeyedStep | None:
    """The keyed step of a part that has state, else None. rule: what its alarms are called where it does not say."""
    if isinstance(part, Aggregate):
        windower = Windower(part, schema)
        return windower if part.fill_gaps is None else GapFiller(windower, part.fill_gaps)
    if isinstance(part, Detect):
        watcher = Watcher(part, schema, rule)
        return Reviser(watcher) if part.revise else watcher
    if isinstance(part, Deduplicate):
        return Deduplicator(part, schema)
    if isinstance(part, WindowJoin):
        return Joiner(part, schema)
    if isinstance(part, Sequence):
        return Sequencer(part, schema)
    if isinstance(part, Lookup):
        return Registrar(part, schema)
    if isinstance(part, ManageAlarms):
        return Annunciator(part, schema)
    return None
