"""Rules by which an average is valid."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def completeness_rules() -> dict[str, Any]:
    """Rules by name: see the file, which has their sources and dates."""
    found: dict[str, Any] = yaml.safe_load(
        files("tocsin.kernels.domains").joinpath("completeness.yaml").read_text("utf-8")
    )
    return found


def least_share(rule: str) -> float:
    """Share of the expected readings that a rule asks for. Raises ValueError with what there is."""
    known = completeness_rules()
    if rule not in known:
        raise ValueError(f"no completeness rule '{rule}' (known: {', '.join(known)})")
    return float(known[rule]["share"])
