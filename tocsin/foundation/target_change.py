"""What a new version of a job does to a target that exists already."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TargetChange:
    """One change. sentence: for people, with the remedy. is_refused: whether a run would fail."""

    sentence: str
    is_refused: bool = False
