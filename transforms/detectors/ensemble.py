"""Several detectors that agree."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import PrivateAttr, model_validator

from tocsin.api.detector import Detector, Floats, Int64s, Param, State, find_part


class Ensemble(Detector):
    """The scores of several detectors, calibrated to [0, 1] by s / (1 + s), as their mean, median or greatest.

    A member at its alarm line has 0.5. What comes out is calibrated back, so that 1 is the alarm line again: with `mean`, members
    may outvote one that is calm, and one that is sure may carry those that are nearly so. A member without an opinion has no
    vote. State: that of all members.
    """

    members: dict[str, dict[str, Any]] = Param(
        help="detectors and their configurations",
        min_length=2,
        examples=[{"robust_z": {"window": 60}, "cusum": {}}],
    )
    vote: Literal["mean", "median", "max"] = Param("mean", help="how votes become one")

    _members: list[Detector] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _known(self) -> Ensemble:
        for name, config in self.members.items():
            member: Detector = find_part("detectors", name)(**(config or {}))
            if member.silence_after() is not None or member.several:
                raise ValueError(
                    f"{name} cannot be a member: it does not judge one reading of one column"
                )
            self._members.append(member)
        return self

    def start_state(self) -> State:
        return tuple(number for member in self._members for number in member.start_state())

    def score_many(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats
    ) -> tuple[Floats, Floats]:
        votes, at = np.empty((len(self._members), len(x))), 0
        for number, member in enumerate(self._members):
            width = len(member.start_state())
            mine = np.ascontiguousarray(states[:, at : at + width])
            scores, _ = member.score_many(x, t, starts, mine)
            states[:, at : at + width] = mine
            votes[number] = np.where(np.isinf(scores), 1.0, scores / (1.0 + scores))
            at += width
        silent = np.isnan(votes).all(axis=0)
        given = np.where(silent, 0.0, votes)
        if self.vote == "mean":
            share = np.nanmean(given, axis=0)
        else:
            share = (
                np.nanmedian(given, axis=0) if self.vote == "median" else np.nanmax(given, axis=0)
            )
        with np.errstate(divide="ignore"):
            scores = np.where(silent, np.nan, np.where(share >= 1.0, np.inf, share / (1.0 - share)))
        return scores, np.full(len(x), np.nan)

    examples = [
        (
            {"members": {"threshold": {"above": 10}, "rate_of_change": {"per_second": 5.0}}},
            [10.0, 10.0],
            [1 / 3, 1 / 3],
        )
    ]
