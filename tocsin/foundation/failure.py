"""A failure that is not the program's: told in one sentence, whatever process it happens in."""

from __future__ import annotations

import re


class Failure(RuntimeError):
    """Something outside went wrong (a broker, a disk, a registry). The text is one sentence for the user."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"[[{sentence}]]")
        self.sentence = sentence


def sentence_in(text: str) -> str | None:
    """The sentence of a Failure inside a longer text, such as a worker's traceback."""
    found: list[str] = re.findall(r"\[\[(.+?)\]\]", text, re.DOTALL)
    return found[-1] if found else None
