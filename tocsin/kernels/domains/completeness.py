"""Completeness rules: the share of readings that an average needs to be valid."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def completeness_rules() -> dict[str, Any]:
    """The rules by name. `completeness.yaml` has their sources and dates."""
    found: dict[str, Any] = yaml.safe_load(
        files("tocsin.kernels.domains").joinpath("completeness.yaml").read_text("utf-8")
    )
    return found


def least_share(rule: str) -> float:
    """The share of the expected readings that a rule requires, from 0 to 1.

    Raises:
        ValueError: for an unknown rule. The text lists the known ones.
    """
    known = completeness_rules()
    if rule not in known:
        raise ValueError(f"no completeness rule '{rule}' (known: {', '.join(known)})")
    return float(known[rule]["share"])
