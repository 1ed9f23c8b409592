"""Steps by type as attributes of a module: providers.yaml names them in this form."""

from __future__ import annotations

from typing import Any

from tocsin.engines.beam.yaml_adapter import factories


def __getattr__(name: str) -> Any:
    found = factories().get(name)
    if found is None:
        raise AttributeError(f"no step type '{name}'")
    return found
