"""Readings where few readings were: an isolation method for streams."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from pydantic import PrivateAttr

from tocsin.api.detector import Detector, Floats, Int64s, Param, SensorState, kernel, numbers

# Which masses of a tree: of the window before, and of this one.
_REFERENCE, _LATEST = 0, 1


class _Forest(NamedTuple):
    """The parameters and the random trees: a row a tree.

    ranges: the least and greatest of each dimension. dimensions: of the split of each inner node.
    """

    window: int
    threshold: float
    depth: int
    ranges: Floats
    dimensions: Int64s


@kernel
def _mass_at(point: Floats, least: float, span: float, forest: _Forest, masses: Floats) -> float:
    """The mass where the point falls, summed over all trees; counts the point in each tree."""
    mass = 0.0
    bounds = np.empty(forest.ranges.shape[1])
    for tree in range(len(masses)):
        node, level, low, high = 0, 0, 0.0, 0.0
        done = False
        for at in range(len(bounds)):
            bounds[at] = forest.ranges[tree, at]
        while True:
            reference = masses[tree, _REFERENCE, node]
            if not done and (level == forest.depth or reference < 0.1 * forest.window):
                mass += reference * 2.0**level
                done = True
            masses[tree, _LATEST, node] += 1.0
            if level == forest.depth:
                break
            dimension = forest.dimensions[tree, node]
            low, high = bounds[2 * dimension], bounds[2 * dimension + 1]
            middle = (low + high) / 2.0
            right = (point[dimension] - least) / span >= middle
            bounds[2 * dimension + (0 if right else 1)] = middle
            node, level = 2 * node + (2 if right else 1), level + 1
    return mass


@kernel
def _renew(masses: Floats) -> None:
    """Make the latest masses the reference, and count from 0 again."""
    trees, _, nodes = masses.shape
    for tree in range(trees):
        for node in range(nodes):
            masses[tree, _REFERENCE, node] = masses[tree, _LATEST, node]
            masses[tree, _LATEST, node] = 0.0


class HalfSpaceTrees(Detector):
    """Random trees of half-spaces: how few earlier readings fell where the last readings fall.

    The last `length` readings are a point. The score is log2 of the usual mass over this point's,
    over the threshold. The first window gives the range of the space, and the next one fills the
    trees: both score 0. The last window is the reference, so trees follow a change within two
    windows, outliers included. State: 16 bytes a node of each tree.
    Source: Tan, Ting, Liu: Fast Anomaly Detection for Streaming Data, IJCAI 2011.
    """

    length: int = Param(2, help="readings that make a point", ge=1, le=16)
    trees: int = Param(15, help="number of trees", ge=1, le=100)
    depth: int = Param(6, help="splits from the root to a leaf", ge=2, le=10)
    window: int = Param(250, help="readings after which the reference is renewed", ge=10)
    threshold: float = Param(5.0, help="halvings of the usual mass at the alarm line", gt=0)
    seed: int = Param(7, help="seed of the random splits", ge=0)

    class State(SensorState):
        """Readings seen, the range of the first window, the usual mass, and the trees.

        last: the last readings, latest first. masses: of each tree, window and node.
        """

        seen: float = 0.0
        least: float = 0.0
        greatest: float = 0.0
        usual: float = 0.0
        last: Floats = numbers("length")
        masses: Floats = numbers("trees", 2, "nodes")

    _forest: Any = PrivateAttr(None)

    @property
    def nodes(self) -> int:
        """Nodes of a tree."""
        return (2 << self.depth) - 1

    def parameters(self) -> _Forest:
        if self._forest is None:
            random = np.random.default_rng(self.seed)
            ranges, dimensions = [], []
            for _ in range(self.trees):
                middles = [random.random() for _ in range(self.length)]
                reaches = [2 * max(middle, 1 - middle) for middle in middles]
                ends = zip(middles, reaches, strict=True)
                ranges.append([end for m, reach in ends for end in (m - reach, m + reach)])
                dimensions.append(random.integers(0, self.length, 2**self.depth - 1))
            self._forest = _Forest(
                self.window, self.threshold, self.depth, np.array(ranges), np.array(dimensions)
            )
        forest: _Forest = self._forest
        return forest

    @staticmethod
    def step(x: float, _t: float, parameters: _Forest, state: State) -> tuple[float, float]:
        window, masses, last = parameters.window, state.masses, state.last
        seen = state.seen
        state.seen = seen + 1.0
        for at in range(len(last) - 1, 0, -1):
            last[at] = last[at - 1]
        last[0] = x
        if seen < window:
            state.least = x if seen == 0.0 else min(state.least, x)
            state.greatest = x if seen == 0.0 else max(state.greatest, x)
            return 0.0, math.nan
        span = max(state.greatest - state.least, 1e-9)
        mass = _mass_at(last, state.least, span, parameters, masses)
        if int(seen) % window == window - 1:
            _renew(masses)
        if seen < 2.0 * window:
            return 0.0, math.nan
        mass = mass / (len(masses) * window) + 1e-3
        usual = state.usual if state.usual > 0.0 else mass
        state.usual = usual + (min(mass, 2.0 * usual) - usual) / window
        return max(math.log2(usual / mass), 0.0) / parameters.threshold, math.nan

    def expectation(self, expected: float) -> str:
        return "a value where others are"

    examples = [({}, [1.0, 2.0, 1.0], [0.0, 0.0, 0.0])]
