"""Schemas that use types of other schemas are read as one schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kernels.avro.fuzz import record
from tocsin.kernels.avro.references import inlined
from tocsin.kernels.avro.types import leaves, parse_schema

POINT = {**record("Point", ("x", "double"), ("y", "double")), "namespace": "geo"}
SITE = {**record("Site", ("name", "string"), ("at", "Point")), "namespace": "geo"}
LEVEL = {"type": "enum", "name": "Level", "symbols": ["low", "high"]}


def columns(schema: Any, *others: Any) -> list[str]:
    known = {}
    for other in others:
        space = f"{other['namespace']}." if "namespace" in other else ""
        known[space + other["name"]] = json.dumps(other)
    return [leaf.name for leaf in leaves(parse_schema(inlined(json.dumps(schema), known)))]


def test_a_reference_and_its_references_are_read() -> None:
    schema = record("R", ("site", "geo.Site"), ("moved_to", ["null", "geo.Point"]))
    assert columns(schema, SITE, POINT) == [
        "site_name",
        "site_at_x",
        "site_at_y",
        "moved_to_x",
        "moved_to_y",
    ]


def test_a_type_without_a_namespace_is_found_from_within_one() -> None:
    schema = {**record("R", ("level", "Level"), ("before", "double")), "namespace": "city"}
    assert columns(schema, LEVEL) == ["level", "before"]


def test_references_in_arrays_and_maps_are_read() -> None:
    points = {"type": "array", "items": "geo.Point"}
    schema = record("R", ("path", points), ("by", {"type": "map", "values": "geo.Point"}))
    assert columns(schema, POINT) == ["path", "by"]


def test_an_own_type_comes_before_one_of_the_same_name() -> None:
    own = {**record("Point", ("z", "int")), "namespace": "geo"}
    schema = record("R", ("a", own), ("b", "geo.Point"))
    assert columns(schema, POINT) == ["a_z", "b_z"]


def test_types_that_refer_to_each_other_are_refused_as_recursive() -> None:
    there = {**record("A", ("b", ["null", "B"])), "namespace": "n"}
    back = {**record("B", ("a", ["null", "A"])), "namespace": "n"}
    with pytest.raises(ValueError, match="contains itself"):
        columns(record("R", ("a", "n.A")), there, back)


def test_a_text_that_is_no_json_is_left_to_the_parser() -> None:
    assert inlined("{", {"a": "{"}) == "{"
