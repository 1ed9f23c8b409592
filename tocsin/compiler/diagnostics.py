"""Mistakes in a job, with their places."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: one sentence, and its place as line and column, from 1."""

    file: str
    line: int
    column: int
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        kind = "warning: " if self.is_warning else ""
        return f"{self.file}:{self.line}:{self.column}: {kind}{self.message}"

    def as_dict(self) -> dict[str, object]:
        """The fields as a mapping, for JSON."""
        return asdict(self)


class JobError(Exception):
    """A job has mistakes; `problems` has all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
