"""The structure of the code: direction of imports, size of files, names and documentation."""

from __future__ import annotations

import ast
import re
import statistics
from pathlib import Path

import pytest

from tests.shape.imports import ALLOWED, CODE, ROOT, circles, graph, imported, layer, module_of
from tocsin.steps.catalogue import built_in_steps, step_types

OUTSIDE = {
    "apache_beam": {"engines"},
    "duckdb": {"lake", "cli"},
    "confluent_kafka": {"kafka", "simulator", "lake", "cli", "transforms"},
    "cyclopts": {"cli"},
    "httpx": {"flink"},
    "grpc": {"engines"},
}
BANNED = {"utils", "helpers", "common", "base", "manager", "handler", "misc"}


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    here = layer(module_of(path))
    for name in imported(path):
        root = name.partition(".")[0]
        there = layer(name)
        if root == "tocsin" and here in ALLOWED and there in ALLOWED:
            assert there in ALLOWED[here], (
                f"{here} may import {sorted(ALLOWED[here])}, not {name}: see ARCHITECTURE.md"
            )
        if root in OUTSIDE:
            assert here in OUTSIDE[root], f"only {sorted(OUTSIDE[root])} may import {root}"
        assert root != "transforms", "parts are found by name; tests use tocsin.transforms"


def test_no_modules_import_one_another_even_inside_functions() -> None:
    assert circles(graph()) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_no_test_edits_the_module_path() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert "sys.path" not in path.read_text("utf-8"), path


def test_only_sources_and_sinks_import_clients() -> None:
    for path in CODE:
        if layer(module_of(path)) == "transforms" and "confluent_kafka" in imported(path):
            assert path.parent.name in ("read", "write")


def test_files_are_small() -> None:
    sizes = {
        path: len(path.read_text("utf-8").splitlines())
        for path in CODE
        if path.name != "__init__.py"
    }
    assert max(sizes.values()) <= 400, max(sizes, key=lambda path: sizes[path])
    assert statistics.median(sizes.values()) <= 120


def test_names_are_specific() -> None:
    for path in CODE:
        assert path.stem not in BANNED, path
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                words = set(re.findall(r"[A-Z][a-z]+", node.name))
                assert not {word.lower() for word in words} & BANNED, node.name


def test_every_module_and_public_class_and_function_is_documented() -> None:
    missing = []
    for path in CODE:
        tree = ast.parse(path.read_text("utf-8"))
        if not ast.get_docstring(tree):
            missing.append(str(path))
        missing += [
            f"{path}: {node.name}"
            for node in tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert missing == []


def test_kernels_have_no_loop_over_rows() -> None:
    """`to_pylist` creates a Python object for each row, so only listed files may use it."""
    allowed = {
        "kernels/expressions/evaluate.py",
        # Distinct values of a column that no vectorized way reads.
        "kernels/csv/values.py",
        "kernels/foreign_types.py",
        "kernels/time/event_times.py",
    }
    for path in CODE:
        name = (
            str(path.relative_to(ROOT / "tocsin")) if path.is_relative_to(ROOT / "tocsin") else ""
        )
        if name.startswith("kernels/") and name not in allowed:
            assert "to_pylist" not in path.read_text("utf-8"), name


def test_nothing_outside_the_steps_knows_a_step_by_its_class() -> None:
    """The checker, the verbs and the engines ask `StatefulStep`: a third party's step is equal."""
    modules = {place.module for place in built_in_steps().values()}
    operators = {
        node.name
        for path in (ROOT / "tocsin/steps").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Operator")
    }
    names = {*built_in_steps(), *operators, "OrderedStep"}
    for path in CODE:
        if layer(module_of(path)) == "steps":
            continue
        assert not modules & set(imported(path)), path
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("isinstance", "issubclass")
            ):
                tested = {one.id for one in ast.walk(node.args[1]) if isinstance(one, ast.Name)}
                assert not tested & names, f"{path}:{node.lineno} tests for {tested & names}"


def test_step_types_differ_from_beam_yamls_except_two() -> None:
    from apache_beam.yaml import yaml_provider

    # On batches, Filter and Enrich are Tocsin's. See docs/decisions.
    assert set(step_types()) & set(yaml_provider.standard_providers()) <= {"Filter", "Enrich"}


def test_every_verb_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for file in (ROOT / "tocsin/cli").glob("*_verb.py"):
        assert f"tocsin {file.stem.removesuffix('_verb')}" in readme, file.stem


def test_no_text_names_a_machine_or_a_registry() -> None:
    for path in [
        *CODE,
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "README.md",
        ROOT / "ARCHITECTURE.md",
        *ROOT.glob("requirements*.lock"),
    ]:
        text = path.read_text("utf-8")
        assert "/root/" not in text, path
        assert "/work/" not in text, path
        assert "pypi.org" not in text, path


def names_of_numba(path: Path) -> set[str]:
    """What a file imports from `numba` itself."""
    return {
        name.name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "numba"
        for name in node.names
    }


def test_one_file_calls_the_compiler_so_that_all_machine_code_is_kept() -> None:
    """A function that another file gives to `njit` is compiled in every process."""
    compilers = {"njit", "jit", "vectorize", "guvectorize", "cfunc"}
    users = [module_of(path) for path in CODE if compilers & names_of_numba(path)]
    assert users == ["tocsin.kernels.compiled"]
