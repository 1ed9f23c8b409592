"""The files and folders that a job names, judged when it is checked and again when they are opened.

A path is judged where it leads: links are resolved and `..` is followed.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tocsin.foundation.sandbox.addresses import STORE_SCHEMES, is_inside, url_of
from tocsin.foundation.sandbox.policy import FOLDERS_VARIABLE, is_sandboxed, operator_policy

# Not files of anyone: the environment and memory of processes, and the machine's devices.
_SYSTEM = ("/proc", "/sys", "/dev")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a disk in memory


class JudgedPath(str):
    """The path of a file that a job named, with the folders in which it must still be.

    Attributes:
        folders: what `readable_folders` gave.
    """

    __slots__ = ("folders",)
    folders: tuple[str, ...]

    @classmethod
    def of(cls, path: str, folders: tuple[str, ...]) -> JudgedPath:
        """The path with its folders."""
        found = cls(path)
        found.folders = folders
        return found

    def __reduce__(self) -> Any:
        return (JudgedPath.of, (str(self), self.folders))


def check_file(path: Path, context: Any) -> None:
    """Check a file that a job reads.

    Args:
        path: the file.
        context: validation context of the job, or None.

    Raises:
        ValueError: if the file is neither in the job's folders nor in $TOCSIN_ALLOW_FOLDERS.
    """
    check_readable(path, readable_folders(context))


def readable_folders(context: Any) -> tuple[str, ...] | None:
    """The folders whose files a job may read and write, links resolved; None for all.

    A part that finds or opens files after its validation keeps them for `check_readable`.
    """
    if not is_sandboxed(context):
        return None
    own = (str(Path(folder).resolve()) for folder in context.get("folders", ["."]))
    return tuple(dict.fromkeys((*own, *operator_policy().folders)))


def check_readable(path: Path, folders: tuple[str, ...] | None) -> None:
    """Check a file that is about to be listed or opened.

    Args:
        path: the file. Links are resolved, and `..` is followed.
        folders: what `readable_folders` gave.

    Raises:
        ValueError: if the file is in none of the folders.
    """
    if folders is not None:
        _judged(path, folders, "file")


def check_lake(lake: str, context: Any) -> None:
    """Check the lake that a job reads or writes.

    Args:
        lake: a folder, or a URI such as s3://bucket/lake.
        context: validation context of the job, or None.

    Raises:
        ValueError: for a lake in none of the job's folders and $TOCSIN_ALLOW_FOLDERS, and for a
            URI of another form.
    """
    folders = readable_folders(context)
    if folders is not None:
        _judged_place(lake, folders, "lake")


def check_lake_folder(folder: str, folders: tuple[str, ...] | None) -> None:
    """Check a folder of a lake on a disk that is about to be written.

    Raises:
        ValueError: if it is in none of the folders, because it or a folder above became a link.
    """
    if folders is not None:
        _judged(Path(folder), folders, "lake")


def judged_place(text: str, context: Any, what: str) -> str:
    """A path or URI that a job reads. A `file:` URI of a job that is not trusted becomes a path.

    Raises:
        ValueError: as `check_lake`.
    """
    folders = readable_folders(context)
    return text if folders is None else _judged_place(text, folders, what)


def _judged_place(text: str, folders: tuple[str, ...], what: str) -> str:
    if "://" not in text:
        _judged(Path(text), folders, what)
        return text
    url = url_of(text, ("file", *STORE_SCHEMES))
    if url.scheme == "file":
        _judged(Path(url.path), folders, what)
        return url.path
    stores = operator_policy().stores
    if not any(is_inside(url, one) for one in stores):
        shown = f"allowed: {', '.join(stores)}" if stores else "none is allowed"
        raise ValueError(
            f"the {what} '{text}' is in no store that the operator allowed ({shown}); "
            f"the operator adds {url.scheme}://{url.host} to {FOLDERS_VARIABLE}, "
            "or runs the job with --trusted"
        )
    return text


def _judged(path: Path, folders: tuple[str, ...], what: str) -> Path:
    """The path where it leads. Raises ValueError if that is in none of the folders."""
    text = str(path)
    if any(unicodedata.category(one)[0] == "C" for one in text):
        raise ValueError(f"the path of the {what} has characters that cannot be shown: {text!r}")
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        raise ValueError(f"the {what} '{path}' cannot be found: its links lead nowhere") from None
    if _is_of_system(real) or not any(_is_in(real, folder) for folder in folders):
        raise ValueError(
            f"the {what} '{path}' is not in the job's folders; the operator adds its folder to "
            f"{FOLDERS_VARIABLE}, or runs the job with --trusted"
        )
    return real


def _is_in(real: Path, folder: str) -> bool:
    """Whether a path is in a folder. The root of a disk is no folder of a job."""
    return Path(folder) != Path(folder).parent and real.is_relative_to(folder)


def _is_of_system(real: Path) -> bool:
    return any(real.is_relative_to(one) for one in _SYSTEM) and not real.is_relative_to(
        _SHARED_MEMORY
    )


@contextmanager
def pinned(
    path: str, folders: tuple[str, ...] | None = None, most: int | None = None
) -> Iterator[str]:
    """A path under which the file that was judged can be opened, whatever happens to its name.

    Args:
        path: a path. One that is no `JudgedPath` is given back as it is, if `folders` is None.
        folders: what `readable_folders` gave; by default the folders of a `JudgedPath`.
        most: the largest number of bytes of a judged file, or None.

    Raises:
        OSError: if a judged file cannot be opened, is no file on a disk, is in none of the
            folders, or has too many bytes.
    """
    folders = getattr(path, "folders", None) if folders is None else folders
    if folders is None:
        yield path
        return
    opened = _opened(path, folders)
    try:
        size = os.fstat(opened).st_size
        if most is not None and size > most:
            raise _refused(path, f"the file '{path}' has {size:,} bytes, and at most {most:,} fit")
        yield f"/proc/self/fd/{opened}"
    finally:
        os.close(opened)


def _opened(path: str, folders: tuple[str, ...]) -> int:
    try:
        real = _judged(Path(path), folders, "file")
    except ValueError as error:
        raise _refused(path, str(error)) from None
    # A pipe would wait for a writer, and opening a device may do something.
    if not real.is_file():
        raise _refused(path, f"'{path}' is no file on a disk")
    opened = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    is_file = stat.S_ISREG(os.fstat(opened).st_mode)
    if not is_file or Path(f"/proc/self/fd/{opened}").readlink() != real:
        os.close(opened)
        raise _refused(path, f"the file '{path}' changed while it was opened")
    return opened


def _refused(path: str, sentence: str) -> OSError:
    return OSError(errno.EPERM, sentence, str(path))
