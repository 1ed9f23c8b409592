"""Failures outside the program, reported in one sentence from any process."""

from __future__ import annotations

import re


class Failure(RuntimeError):
    """A failure outside the program: of a broker, a disk or a registry.

    Attributes:
        sentence: one sentence for the user.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(f"[[{sentence}]]")
        self.sentence = sentence


class Mistake(Failure):
    """A mistake in the user's project, such as two files that define one part."""


class UnknownPart(LookupError):
    """No part of that name, or a file that does not define it; the text says what to do."""


def sentence_in(text: str) -> str | None:
    """The last Failure's sentence in a text such as a worker's traceback, or None."""
    found: list[str] = re.findall(r"\[\[(.+?)\]\]", text, re.DOTALL)
    return found[-1] if found else None
