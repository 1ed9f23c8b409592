"""Several detectors that vote."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import PrivateAttr, model_validator

from tocsin.api.detector import Detector, Floats, Int64s, Layout, Param, find_part


class Ensemble(Detector):
    """The mean, median or greatest of several detectors' scores.

    A vote is s / (1 + s), so a member at its alarm line votes 0.5; a negative score votes 0. The
    result is converted back: 1 is the alarm line again. With `mean`, calm members can outvote one,
    and one sure member can carry members that are nearly sure. A member that scores NaN has no
    vote; with no vote the result is NaN. State: that of all members.

    Raises ValueError for a member that judges silence or several columns.
    """

    members: dict[str, dict[str, Any]] = Param(
        help="detectors and their configurations",
        min_length=2,
        examples=[{"robust_z": {"window": 60}, "cusum": {}}],
    )
    vote: Literal["mean", "median", "max"] = Param("mean", help="how votes become one")

    _members: dict[str, Detector] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Ensemble:
        for name, config in self.members.items():
            member: Detector = find_part("detectors", name)(**(config or {}))
            if member.silence_after() is not None or member.several:
                raise ValueError(
                    f"{name} cannot be a member: it does not judge one reading of one column"
                )
            self._members[name] = member
        return self

    def layout(self) -> Layout:
        return Layout.joined({name: member.layout() for name, member in self._members.items()})

    def score_many(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats
    ) -> tuple[Floats, Floats]:
        kept = self.layout().view(states)
        votes = np.empty((len(self._members), len(x)))
        for vote, (name, member) in zip(votes, self._members.items(), strict=True):
            own = np.ascontiguousarray(kept.read(name))
            scores, _ = member.score_many(x, t, starts, own)
            # Below 0 a score says no more than 0 does, and s / (1 + s) has a pole at -1.
            scores = np.maximum(scores, 0.0)
            kept.write(name, own)
            with np.errstate(divide="ignore", invalid="ignore"):
                vote[:] = np.where(np.isinf(scores), 1.0, scores / (1.0 + scores))
        silent = np.isnan(votes).all(axis=0)
        share = self._united(np.where(silent, 0.0, votes))
        with np.errstate(divide="ignore"):
            scores = np.where(silent, np.nan, np.where(share >= 1.0, np.inf, share / (1.0 - share)))
        return scores, np.full(len(x), np.nan)

    def _united(self, votes: Floats) -> Floats:
        """One vote a reading, from a row of votes a member."""
        if self.vote == "max":
            return np.asarray(np.nanmax(votes, axis=0), np.float64)
        if self.vote == "median":
            return np.asarray(np.nanmedian(votes, axis=0), np.float64)
        return np.asarray(np.nanmean(votes, axis=0), np.float64)

    examples = [
        (
            {"members": {"threshold": {"above": 10}, "rate_of_change": {"per_second": 5.0}}},
            [10.0, 10.0],
            [1 / 3, 1 / 3],
        )
    ]
