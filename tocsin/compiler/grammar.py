"""The grammar of a job file: a safe subset of Beam YAML."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Any

from tocsin.compiler.yaml_document import Document, YamlPath
from tocsin.foundation.printable import one_line

# Stock Beam YAML transforms that an untrusted job may use behind ToRows: they run no code of it.
STOCK = ("MapToFields", "Explode", "Combine", "LogForTesting", "AssertEqual")
CONVERSIONS = ("ToRows", "ToBatches")
"""Types of the steps that convert batches to rows for stock transforms, and back."""
_CODE_KEYS = ("callable", "python", "javascript", "path", "fn")
_TOP = ("pipeline", "options", "tests")
_PIPELINE = ("type", "name", "transforms", "extra_transforms")
_STEP = ("type", "name", "input", "config")
_OPTIONS = ("parallelism",)
# Flink has no more subtasks.
_MOST_SUBTASKS = 32_768
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Written:
    """A step as the file has it."""

    name: str
    type: str
    path: YamlPath
    inputs: dict[str, list[str]]
    config: dict[str, Any]


def near(name: object, known: list[str] | tuple[str, ...]) -> str:
    """', did you mean …?' if one of the known names is similar."""
    found = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.6)
    return f", did you mean '{found[0]}'?" if found else ""


def _only(
    document: Document, value: Any, path: YamlPath, known: tuple[str, ...], what: str
) -> dict[str, Any]:
    """The value as a mapping with known keys; otherwise a problem, and an empty mapping."""
    if not isinstance(value, dict):
        document.problem(f"{what} must be a mapping", path)
        return {}
    for key in value:
        if key not in known:
            document.problem(
                f"unknown key '{key}' in {what}{near(key, known)} (known: {', '.join(known)})",
                (*path, key),
                at_key=True,
            )
    return value


def steps_of(document: Document, known_types: list[str], trusted: bool) -> list[Written]:
    """All steps in order, each with its inputs, also in a chain. Problems go to the document."""
    if not isinstance(document.data, dict):
        document.problem("a job is a mapping with the key `pipeline`", ())
        return []
    _only(document, document.data, (), (*_TOP, "providers"), "a job")
    if "providers" in document.data and not trusted:
        document.problem(
            "`providers` brings code into a job; run it with --trusted if you trust it",
            ("providers",),
        )
    if "pipeline" not in document.data:
        document.problem("a job needs the key `pipeline`", ())
        return []
    pipeline = _only(document, document.data["pipeline"], ("pipeline",), _PIPELINE, "`pipeline`")
    kind = pipeline.get("type", "composite")
    if kind not in ("chain", "composite"):
        document.problem(
            f"a pipeline is a chain or a composite, not '{kind}'", ("pipeline", "type")
        )
    written: list[Written] = []
    for group in ("transforms", "extra_transforms"):
        items = pipeline.get(group) or []
        if not isinstance(items, list):
            document.problem(f"`{group}` must be a list of steps", ("pipeline", group))
            continue
        for at, item in enumerate(items):
            path: YamlPath = ("pipeline", group, at)
            step = _step(document, item, path, known_types, trusted)
            if step is None:
                continue
            if kind == "chain" and group == "transforms":
                if step.inputs:
                    document.problem(
                        "a step of a chain takes its input from the step before", (*path, "input")
                    )
                before = {"": [written[-1].name]} if written else {}
                step = Written(step.name, step.type, path, before, step.config)
            written.append(_unique(document, step, written))
    if not written and not document.problems:
        document.problem("the pipeline has no steps", ("pipeline",))
    return written


def _unique(document: Document, step: Written, before: list[Written]) -> Written:
    """The step; one whose name is taken is reported and checked under a name of its own."""
    if all(step.name != other.name for other in before):
        return step
    document.problem(f"two steps are called '{step.name}'; give one another `name`", step.path)
    return replace(step, name=f"{step.name} ({len(before)})")


def _step(
    document: Document, item: Any, path: YamlPath, known: list[str], trusted: bool
) -> Written | None:
    step = _only(document, item, path, _STEP, "a step")
    kind = step.get("type")
    if not isinstance(kind, str):
        document.problem("a step needs a `type`", path)
        return None
    types = [*known, *CONVERSIONS, *STOCK]
    if kind not in types and not trusted:
        document.problem(
            f"no step type '{kind}'{near(kind, types)} (see `tocsin list`)", (*path, "type")
        )
        guess = difflib.get_close_matches(kind, types, n=1, cutoff=0.6)
        if not guess:
            return None
        kind = guess[0]
    config = step.get("config") or {}
    if not isinstance(config, dict):
        document.problem("`config` must be a mapping", (*path, "config"))
        config = {}
    if kind in STOCK and not trusted:
        _refuse_code(document, config, (*path, "config"))
    inputs = _inputs(document, step.get("input"), (*path, "input"))
    # A third party's `acme/Drop` is called `Drop`.
    name = step.get("name", step["type"].rpartition("/")[2])
    wrong = _wrong_name(name)
    if wrong is not None:
        document.problem(wrong, (*path, "name"))
        name = kind
    return Written(name, kind, path, inputs, config)


def _wrong_name(name: Any) -> str | None:
    """Why a step cannot have a name, or None. Logs, metrics and Flink show it."""
    if not isinstance(name, str) or not name or "/" in name or "." in name:
        return "a step's name is text without '.' and '/'"
    if len(name) > _LONGEST_NAME:
        return f"a step's name has up to {_LONGEST_NAME} characters"
    if one_line(name) != name:
        return "a step's name has no control characters"
    return None


def _inputs(document: Document, value: Any, path: YamlPath) -> dict[str, list[str]]:
    """The inputs by name; the name of an unnamed input is ''."""
    named = value if isinstance(value, dict) else {} if value is None else {"": value}
    found = {}
    for name, one in named.items():
        listed = one if isinstance(one, list) else [one]
        if not listed or not all(isinstance(item, str) for item in listed):
            document.problem(
                "`input` is a step, or step.output; several are a list, and named ones a mapping",
                path,
            )
            return {}
        found[str(name)] = listed
    return found


def _refuse_code(document: Document, value: Any, path: YamlPath) -> None:
    """Report code in a configuration: it needs --trusted."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _CODE_KEYS or (key == "language" and inner not in (None, "generic")):
                document.problem(
                    f"'{key}: {inner}' brings code into a job; "
                    "run it with --trusted if you trust it",
                    (*path, key),
                )
            else:
                _refuse_code(document, inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            _refuse_code(document, inner, (*path, at))


def options_of(document: Document) -> dict[str, Any]:
    """The options of the job.

    Only known ones are allowed, because an option of Beam can run code or send data elsewhere.
    """
    value = document.data.get("options") if isinstance(document.data, dict) else None
    if value is None:
        return {}
    options = _only(document, value, ("options",), _OPTIONS, "`options`")
    for key in options.keys() & set(_OPTIONS):
        number = options[key]
        if type(number) is not int or not 1 <= number <= _MOST_SUBTASKS:
            said = f"'{key}' must be a whole number from 1 to {_MOST_SUBTASKS:,}"
            document.problem(said, ("options", key))
    return options
