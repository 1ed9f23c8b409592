"""A disk that loses what was not synced: what a POSIX file system may show after a power loss.

A file's content is sure up to its last fsync. A name is sure once its folder was synced after the
change. Everything else may be there, not be there, or be there in part, in any combination.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath


@dataclass
class File:
    """A file: its content, and the content that is sure."""

    content: bytes = b""
    synced: bytes = b""

    @property
    def is_dirty(self) -> bool:
        """Whether a power loss may change it."""
        return self.content != self.synced

    def variants(self) -> Iterator[bytes]:
        """What a power loss may leave of it instead of its content."""
        yield self.synced
        yield self.content[: max(len(self.synced), len(self.content) // 2)]
        yield self.synced + bytes(len(self.content) - len(self.synced))


@dataclass(frozen=True)
class Step:
    """A change of a name in a folder. number: of the file; None for a folder.

    removed, added: paths, '' for none. A rename has both, and happens as a whole.
    """

    folder: str
    removed: str
    added: str
    number: int | None


Names = dict[str, int | None]
"""The files and folders by path; None for a folder."""


@dataclass
class Disk:
    """A disk under a root folder. Paths are absolute."""

    files: list[File] = field(default_factory=list)
    names: Names = field(default_factory=dict)
    sure: Names = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def make(self, path: str) -> None:
        """Make a folder."""
        self._change(Step(_folder(path), "", path, None))

    def open(self, path: str, *, empties: bool) -> None:
        """Open a file to write it; a new one is made."""
        if path not in self.names:
            self.files.append(File())
            self._change(Step(_folder(path), "", path, len(self.files) - 1))
        elif empties:
            self.file(path).content = b""

    def file(self, path: str) -> File:
        """The file of a name."""
        number = self.names[path]
        assert number is not None
        return self.files[number]

    def link(self, old: str, new: str) -> None:
        """Give a file a further name."""
        self._change(Step(_folder(new), "", new, self.names[old]))

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in the same folder."""
        assert _folder(old) == _folder(new)
        self._change(Step(_folder(new), old, new, self.names[old]))

    def unlink(self, path: str) -> None:
        """Remove a name."""
        self._change(Step(_folder(path), path, "", None))

    def sync(self, path: str) -> None:
        """Make a file's content sure, or the names in a folder."""
        if self.names.get(path, None) is not None:
            self.file(path).synced = self.file(path).content
            return
        self.sure = applied(self.sure, [one for one in self.steps if one.folder == path])
        self.steps = [one for one in self.steps if one.folder != path]

    def _change(self, step: Step) -> None:
        self.steps.append(step)
        self.names = applied(self.names, [step])


def applied(names: Names, steps: list[Step]) -> Names:
    """Names after some steps."""
    found = dict(names)
    for step in steps:
        if step.removed:
            found.pop(step.removed, None)
        if step.added:
            found[step.added] = step.number
    return found


def _folder(path: str) -> str:
    return str(PurePosixPath(path).parent)
