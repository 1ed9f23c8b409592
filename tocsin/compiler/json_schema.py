"""The JSON Schema of job files, made from the declarations of the parts."""

from __future__ import annotations

from typing import Any

from tocsin.compiler.grammar import CONVERSIONS, STOCK
from tocsin.parts.part import Part
from tocsin.parts.registry import load
from tocsin.steps.catalogue import step_types


def job_schema() -> dict[str, Any]:
    """Required keys, enums, defaults and descriptions of every step type."""
    parts: dict[str, type[Part]] = {name: load(place) for name, place in step_types().items()}
    definitions: dict[str, Any] = {}
    branches = []
    for name, part in sorted(parts.items()):
        model = part.model_json_schema(by_alias=True, mode="validation")
        definitions |= model.pop("$defs", {})
        model["properties"] = dict(model["properties"].items())
        if getattr(part, "rejects", False) or "event_time" in model["properties"]:
            model["properties"]["error_handling"] = {
                "type": "object",
                "required": ["output"],
                "properties": {"output": {"type": "string"}},
            }
        definitions[f"config.{name}"] = model
        branches.append(
            {
                "if": {"properties": {"type": {"const": name}}},
                "then": {"properties": {"config": {"$ref": f"#/$defs/config.{name}"}}},
            }
        )
    step = {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {
            "type": {
                "enum": [*sorted(parts), *CONVERSIONS, *STOCK],
                "description": "what the step does",
            },
            "name": {
                "type": "string",
                "pattern": "^[^./]+$",
                "description": "by default the type without a package's prefix",
            },
            "input": {
                "description": "a step, or step.output such as Aggregate.late; "
                "several as a list, named ones as a mapping"
            },
            "config": {"type": "object"},
        },
        "allOf": branches,
    }
    steps = {"type": "array", "items": {"$ref": "#/$defs/step"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tocsin job",
        "type": "object",
        "required": ["pipeline"],
        "additionalProperties": False,
        "properties": {
            "pipeline": {
                "type": "object",
                "required": ["transforms"],
                "additionalProperties": False,
                "properties": {
                    "type": {"enum": ["chain", "composite"], "default": "composite"},
                    "name": {"type": "string"},
                    "transforms": steps,
                    "extra_transforms": steps,
                },
            },
            "options": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"parallelism": {"type": "integer", "minimum": 1, "maximum": 32_768}},
            },
            "tests": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "given", "expect"],
                    "properties": {
                        "name": {"type": "string"},
                        "given": {"type": "object"},
                        "expect": {"type": "object"},
                    },
                },
            },
        },
        "$defs": {**definitions, "step": step},
    }
