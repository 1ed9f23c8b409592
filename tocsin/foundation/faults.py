"""Mistakes in a configuration, collected so that all are reported at once."""

from __future__ import annotations


class Fault(ValueError):
    """A mistake in a part's configuration that shows against its input.

    path: where in the configuration, as keys and positions. at: position within that text, if it is an expression.
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
    """Notes the faults of a configuration one after another, so that all are told at once.

    `with collector: …` takes in a Fault that is raised inside; `done()` raises Faults if there were any.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def __enter__(self) -> Collector:
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
        """Raise what was noted."""
        if self.faults:
            raise Faults(self.faults)
