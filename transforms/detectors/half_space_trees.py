"""Readings in places where few readings are: an isolation method for streams."""

from __future__ import annotations

import math

import numpy as np
from pydantic import PrivateAttr

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: readings seen, least and greatest of the first window, usual mass, the last readings, masses: reference, latest.
    parameters: length, trees, depth, window, threshold, then of each tree its ranges and the dimension of each split."""
    length, trees, depth = int(parameters[0]), int(parameters[1]), int(parameters[2])
    window, threshold = parameters[3], parameters[4]
    nodes = 2 ** (depth + 1) - 1
    seen = state[0]
    state[0] = seen + 1.0
    last = state[4 : 4 + length]
    for at in range(length - 1, 0, -1):
        last[at] = last[at - 1]
    last[0] = x
    if seen < window:
        state[1] = x if seen == 0.0 else min(state[1], x)
        state[2] = x if seen == 0.0 else max(state[2], x)
        return 0.0, float("nan")
    span = max(state[2] - state[1], 1e-9)
    masses = 4 + length
    own = 2 * length + 2**depth - 1
    mass = 0.0
    for tree in range(trees):
        first = 5 + tree * own
        node, level, low, high = 0, 0, 0.0, 0.0
        reference = masses + tree * 2 * nodes
        done = False
        bounds = np.empty(2 * length)
        for at in range(2 * length):
            bounds[at] = parameters[first + at]
        while True:
            if not done and (level == depth or state[reference + node] < 0.1 * window):
                mass += state[reference + node] * 2.0**level
                done = True
            state[reference + nodes + node] += 1.0
            if level == depth:
                break
            dimension = int(parameters[first + 2 * length + node])
            low, high = bounds[2 * dimension], bounds[2 * dimension + 1]
            middle = (low + high) / 2.0
            right = (last[dimension] - state[1]) / span >= middle
            bounds[2 * dimension + (0 if right else 1)] = middle
            node, level = 2 * node + (2 if right else 1), level + 1
    turn = int(seen) % int(window)
    if turn == int(window) - 1:
        for tree in range(trees):
            reference = masses + tree * 2 * nodes
            for at in range(nodes):
                state[reference + at], state[reference + nodes + at] = (
                    state[reference + nodes + at],
                    0.0,
                )
    if seen < 2.0 * window:
        return 0.0, float("nan")
    mass = mass / (trees * window) + 1e-3
    usual = state[3] if state[3] > 0.0 else mass
    state[3] = usual + (min(mass, 2.0 * usual) - usual) / window
    return max(math.log2(usual / mass), 0.0) / threshold, float("nan")


class HalfSpaceTrees(Detector):
    """The last readings as a point, and how few of the window before fell where it falls, in random trees of half-spaces.

    The score is log2 of the usual mass over this reading's, over the threshold. The space is scaled by the least and greatest of
    the first window; the next window fills the trees: both score 0. Trees follow a change within two windows, outliers included,
    as the last window is the reference. Source: Tan, Ting, Liu: Fast Anomaly Detection for Streaming Data, IJCAI 2011.
    """

    length: int = Param(2, help="readings that make a point", ge=1, le=16)
    trees: int = Param(15, help="number of trees", ge=1, le=100)
    depth: int = Param(6, help="splits from the root to a leaf", ge=2, le=10)
    window: int = Param(250, help="readings of which the masses are", ge=10)
    threshold: float = Param(5.0, help="halvings of the usual mass at the alarm line", gt=0)
    seed: int = Param(7, help="of the random splits", ge=0)

    _parameters: State = PrivateAttr(())

    step = Recurrence(_step)

    def start_state(self) -> State:
        return (0.0,) * (4 + self.length + self.trees * 2 * ((2 << self.depth) - 1))

    def parameters(self) -> State:
        if not self._parameters:
            random = np.random.default_rng(self.seed)
            found = [
                float(self.length),
                float(self.trees),
                float(self.depth),
                float(self.window),
                self.threshold,
            ]
            for _ in range(self.trees):
                for _ in range(self.length):
                    middle = random.random()
                    reach = 2 * max(middle, 1 - middle)
                    found += [middle - reach, middle + reach]
                found += [float(at) for at in random.integers(0, self.length, 2**self.depth - 1)]
            self._parameters = tuple(found)
        return self._parameters

    def expectation(self, expected: float) -> str:
        return "a value where others are"

    examples = [({}, [1.0, 2.0, 1.0], [0.0, 0.0, 0.0])]
