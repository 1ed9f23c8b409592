"""Units of output: what their names say, and the marks that make each count once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """A unit of a shard: the rows that fall due at one moment.

    Attributes:
        name: `START.sNNN.rREVISION`, and `.NUMBER` for rows that belong to no moment.
        start, until: bounds of its rows' times, microseconds since 1970.
        shard: such as `s003`.
        moment: when it falls due, microseconds since 1970. A shard's units fall due in this order.
        is_numbered: whether its name ends with a number.
    """

    name: str
    start: int
    until: int
    shard: str
    moment: int
    is_numbered: bool

    @staticmethod
    def of(name: str, span: int, lateness: int) -> Unit:
        """The unit of a name.

        Args:
            name: as the framework gives it.
            span: of the sink, microseconds.
            lateness: that the rows are allowed, microseconds.
        """
        start, shard, revision, *number = name.split(".")
        until = int(start) + span
        moment = until + int(revision.removeprefix("r")) * lateness
        return Unit(name, int(start), until, shard, moment, bool(number))

    def mark(self, writer: str) -> tuple[str, int]:
        """The mark's name and the number that it has once the unit is committed.

        A later unit of the shard raises the same mark. A numbered unit has a mark of its own.
        """
        if self.is_numbered:
            return f"{writer}/{self.name}", 1
        return f"{writer}/{self.shard}", self.moment
