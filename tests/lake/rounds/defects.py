"""Defects to play with: a harness that judges one of them right would prove nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.lake.rounds import care
from tocsin.lake import compaction
from tocsin.table.commit import commit
from tocsin.table.unit_writer import UnitWriter


class _With:
    """A table with another answer to one question."""

    def __init__(self, table: Any, **answers: Any) -> None:
        self._table, self._answers = table, answers

    def __getattr__(self, name: str) -> Any:
        answers = self.__dict__["_answers"]
        return answers[name] if name in answers else getattr(self._table, name)


def deaf_appenders() -> None:
    """Appenders ignore marks, so a replay commits its units again."""
    known = UnitWriter._change

    def change(self: UnitWriter, table: Any) -> Any:
        return known(self, table if self.writer.run else _With(table, mark=lambda name: None))

    UnitWriter._change = change  # type: ignore[method-assign]


def hasty_appenders() -> None:
    """Some flushes end without a commit."""
    known = UnitWriter.flush

    def flush(self: UnitWriter) -> None:
        self.forget() if random.random() < 0.3 else known(self)

    UnitWriter.flush = flush  # type: ignore[method-assign]


def stale_compaction() -> None:
    """Compaction commits the change of an old version."""
    known: Any = compaction._exchange
    files: list[Any] = []

    def exchange(folder: Any, table: Any, groups: Any, heads: Any) -> Any:
        files[:] = table.files()
        return known(folder, table, groups, heads)

    def blind(place: str, change_of: Any) -> int | None:
        return commit(place, lambda table: change_of(_With(table, files=lambda: files)))

    compaction._exchange = exchange
    compaction.commit = blind


def forgetful_backfill() -> None:
    """A backfill merges rows that were erased after it had read them."""
    care.erasures = lambda root, datasets: {}


DEFECTS: dict[str, Callable[[], None]] = {
    "deaf-appenders": deaf_appenders,
    "hasty-appenders": hasty_appenders,
    "stale-compaction": stale_compaction,
    "forgetful-backfill": forgetful_backfill,
}
