"""Compiled functions with the compiler switched off."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import numpy as np
from tocsin.kernels.state.key_index import KeyIndex
from tocsin.parts.registry import find
detector = find("detectors", "cusum")(warm_up=2)
states = np.array([detector.start_state()])
times, starts = np.arange(4.0), np.array([0, 4])
detector.score_many(np.array([1.0, 2.0, np.nan, 3.0]), times, starts, states)
print(detector.layout().view(states).upper > 0)
index = KeyIndex()
index.add(np.array([7, 9], np.uint64))
print(index.find(np.array([9, 8, 7], np.uint64)).tolist())
"""


def test_without_the_compiler_the_plain_functions_run() -> None:
    """A debugger or a coverage run sees every line of a loop with NUMBA_DISABLE_JIT=1."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout == "[ True]\n[1, -1, 0]\n"
