"""The text of a job file."""

from __future__ import annotations

from pathlib import Path

from tocsin.compiler.diagnostics import JobError, Problem
from tocsin.compiler.yaml_limits import MOST_BYTES, too_large


def text_of(file: str) -> str:
    """The text of a file, which is read up to the most bytes that a job may have.

    Raises:
        JobError: for a file that is too large, or with the place of bytes that are no UTF-8.
        OSError: if the file cannot be read.
    """
    with Path(file).open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise JobError([too_large(file)])
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        good = content[: error.start].decode("utf-8")
        line, column = good.count("\n") + 1, len(good) - good.rfind("\n")
        said = f"the file is not text in UTF-8: it has the byte 0x{content[error.start]:02X}"
        raise JobError([Problem(file, line, column, said)]) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
