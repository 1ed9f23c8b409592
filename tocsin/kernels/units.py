"""Units of measurement by UCUM code, and conversion between units of one kind.

Source of the codes: Unified Code for Units of Measure (UCUM). `domains/units.yaml` holds the table.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib.resources import files

import numpy as np
import yaml

from tocsin.kernels.batch import Floats


@cache
def units() -> dict[str, tuple[str, float, float]]:
    """Kind, factor and offset of each unit by UCUM code. `domains/units.yaml` explains them."""
    text = files("tocsin.kernels.domains").joinpath("units.yaml").read_text("utf-8")
    found = {}
    for kind, listed in yaml.safe_load(text).items():
        for code, numbers in listed.items():
            found[str(code)] = (
                str(kind),
                float(numbers[0]),
                float(numbers[1]) if len(numbers) > 1 else 0.0,
            )
    return found


def kind_of_unit(code: str) -> str:
    """The kind of quantity that a unit measures, such as `temperature`.

    Raises:
        ValueError: for an unknown code. The text suggests a near one and lists all.
    """
    known = units()
    if code not in known:
        near = difflib.get_close_matches(code, list(known), n=1, cutoff=0.5)
        hint = f", did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no unit '{code}'{hint} (UCUM codes known: {', '.join(known)})")
    return known[code][0]


def check_conversion(source: str, target: str) -> None:
    """Check that values in the unit `source` convert to the unit `target`.

    Raises:
        ValueError: for an unknown unit, or two units of different kinds.
    """
    kinds = kind_of_unit(source), kind_of_unit(target)
    if kinds[0] == kinds[1]:
        return
    hint = ""
    if set(kinds) == {"mass concentration", "mixing ratio"}:
        hint = (
            "; that depends on the gas, temperature and pressure: "
            "micrograms_of_ppb or ppb_of_micrograms"
        )
    raise ValueError(f"{source} is a {kinds[0]} and {target} a {kinds[1]}{hint}")


def convert(values: Floats, source: str, target: str) -> Floats:
    """Values in the unit `target`. NaN stays NaN.

    Raises:
        ValueError: for an unknown unit, or two units of different kinds.
    """
    check_conversion(source, target)
    if source == target:
        return np.asarray(values, np.float64)
    _, factor, offset = units()[source]
    _, divisor, shift = units()[target]
    return np.asarray((np.asarray(values) * factor + (offset - shift)) / divisor)
