"""Mistakes in a configuration, collected so that all are reported at once."""

from __future__ import annotations

from typing import Self


class Fault(ValueError):
    """A mistake in a part's configuration.

    Attributes:
        path: where in the configuration, as keys and positions.
        at: position in the text at that path if it is an expression, from 0.
    """

    def __init__(self, message: str, *path: str | int, at: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.at = at


class Faults(ValueError):
    """Several mistakes in one configuration."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults


class Collector:
    """A collector of all faults of a configuration, so that one error reports all of them.

    `with collector: …` catches a Fault or Faults. `done()` raises Faults if there were any.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Faults):
            self.faults += error.faults
            return True
        if isinstance(error, Fault):
            self.faults.append(error)
            return True
        return False

    def done(self) -> None:
        """Raise the collected faults.

        Raises:
            Faults: if there are any.
        """
        if self.faults:
            raise Faults(self.faults)
