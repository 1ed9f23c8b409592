"""How much work a call does, counted without a clock, so that a law may compare it."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass
class Work:
    """Work, by what a machine cannot do faster or slower.

    columns: bytes that Arrow allocated for what was concatenated, sorted, taken, cast or decoded.
    arrays: the most bytes that NumPy and Python held in addition, summed over calls. calls: number
    of function calls. A compiled loop over arrays that already exist is not counted.
    """

    columns: int = 0
    arrays: int = 0
    calls: int = 0

    def as_dict(self) -> dict[str, int]:
        """Each count by its name."""
        return {"columns": self.columns, "arrays": self.arrays, "calls": self.calls}

    def count(self, call: Callable[[], Any]) -> Any:
        """Make a call and add its work. Gives what the call gives."""
        pool = pa.default_memory_pool()
        made = 0

        def note(_frame: Any, event: str, _of: Any) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        before, is_traced = sys.getprofile(), tracemalloc.is_tracing()
        tracemalloc.start()
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        allocated = pool.total_bytes_allocated()
        sys.setprofile(note)
        try:
            return call()
        finally:
            sys.setprofile(before)
            self.columns += pool.total_bytes_allocated() - allocated
            self.arrays += tracemalloc.get_traced_memory()[1] - held
            self.calls += made
            if not is_traced:
                tracemalloc.stop()
