"""A step to copy into a job, made of a part's examples and of those of its parameters."""

from __future__ import annotations

from typing import Any

import yaml

from tocsin.parts.aggregation import Aggregation
from tocsin.parts.detector import Detector
from tocsin.parts.part import Part

_PLACEHOLDERS = {"number": 1.0, "integer": 1, "boolean": True, "array": [], "object": {}}
_COLUMN = "value"


def example_step(name: str, part: type[Part]) -> str:
    """YAML of a list with one step. The readings have the columns `sensor_id` and `value`.

    An aggregation is shown in an Aggregate step, a detector in a Detect step.
    """
    if issubclass(part, Aggregation):
        step = _aggregate(name, part)
    elif issubclass(part, Detector):
        step = _detect(name, part)
    else:
        step = {"type": name, **(part.in_a_job or {"config": example_configuration(part)})}
    return yaml.safe_dump([step], sort_keys=False, default_flow_style=None, width=90).rstrip()


def example_configuration(part: type[Part]) -> dict[str, Any]:
    """The required parameters with their examples, or the first example's where they do not do."""
    found = _required(part)
    if part.examples and not _is_valid(part, found):
        return dict(part.examples[0][0])
    return found


def _required(part: type[Part]) -> dict[str, Any]:
    schema = part.model_json_schema(by_alias=True).get("properties", {})
    found = {}
    for field, info in part.model_fields.items():
        name = info.alias or field
        if info.is_required():
            placeholder = _PLACEHOLDERS.get(schema[name].get("type", ""), "text")
            found[name] = info.examples[0] if info.examples else placeholder
    return found


def _is_valid(part: type[Part], config: dict[str, Any]) -> bool:
    try:
        part.model_validate(config)
    except ValueError:
        return False
    return True


def _aggregate(name: str, part: type[Aggregation]) -> dict[str, Any]:
    config = example_configuration(part)
    of = {"of": _COLUMN} if part.takes_column else {}
    measure = {name: of | config} if config or "/" in name else f"{name}({''.join(of.values())})"
    shown = {name.rpartition("/")[2]: measure}
    return {
        "type": "Aggregate",
        "config": {"every": "10 min", "by": ["sensor_id"], "measures": shown},
    }


def _detect(name: str, part: type[Detector]) -> dict[str, Any]:
    columns = [_COLUMN, "other_value"] if part.several else _COLUMN
    detector = {name: example_configuration(part)}
    return {"type": "Detect", "config": {"of": columns, "by": ["sensor_id"], "with": detector}}
