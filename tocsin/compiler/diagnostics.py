"""Mistakes in a job, with their places."""

from __future__ import annotations

from dataclasses import asdict, dataclass

# A stranger's job can have thousands of mistakes, and names of a mebibyte.
_MOST, _LONGEST = 50, 1000


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
        message = self.message
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
        return f"{self.file}:{self.line}:{self.column}: {kind}{message}"

    def as_dict(self) -> dict[str, object]:
        """The fields as a mapping, for JSON."""
        return asdict(self)


class JobError(Exception):
    """A job has mistakes; `problems` has them, of very many the first."""

    def __init__(self, problems: list[Problem]) -> None:
        if len(problems) > _MOST:
            last = problems[_MOST]
            more = f"{len(problems) - _MOST:,} more mistakes are not shown"
            problems = [*problems[:_MOST], Problem(last.file, last.line, last.column, more)]
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
