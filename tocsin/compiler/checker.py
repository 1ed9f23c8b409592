"""A job file to a checked job: grammar, configurations and columns, with all mistakes found in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from tocsin.compiler.diagnostics import JobError, Problem
from tocsin.compiler.grammar import Written, near, options_of, steps_of
from tocsin.compiler.job import Job, Step
from tocsin.compiler.yaml_document import Document, read_document
from tocsin.foundation.faults import Fault, Faults
from tocsin.parts.part import Part
from tocsin.parts.registry import UnknownPart, load, step_types
from tocsin.parts.sink import Sink
from tocsin.parts.source import REJECTS_SCHEMA, Source
from tocsin.parts.transform import Transform
from tocsin.steps.aggregate.step import Aggregate
from tocsin.steps.deduplicate.step import Deduplicate
from tocsin.steps.detect.step import Detect
from tocsin.steps.lookup.step import Lookup
from tocsin.steps.manage_alarms.step import ManageAlarms
from tocsin.steps.ordered.buddy_check import BuddyCheck
from tocsin.steps.ordered.ordered_step import Sequence
from tocsin.steps.ordered.quality_control import QualityControl
from tocsin.steps.ordered.shift import Shift
from tocsin.steps.state.union import united_schema
from tocsin.steps.window_join.step import WindowJoin

FRAMEWORK_PARTS: dict[str, type[Part]] = {
    "Aggregate": Aggregate,
    "Detect": Detect,
    "Deduplicate": Deduplicate,
    "WindowJoin": WindowJoin,
    "Lookup": Lookup,
    "Shift": Shift,
    "QualityControl": QualityControl,
    "BuddyCheck": BuddyCheck,
    "ManageAlarms": ManageAlarms,
}

_PASS_THROUGH = ("Validate", "Filter", "Deduplicate")


def check_file(
    file: str, *, trusted: bool = False, variables: Mapping[str, str] | None = None
) -> tuple[Job, list[Problem]]:
    """The job and its warnings. Raises JobError with all mistakes, OSError where the file cannot be read."""
    return check_text(file, Path(file).read_text("utf-8"), trusted=trusted, variables=variables)


def check_text(
    file: str, text: str, *, trusted: bool = False, variables: Mapping[str, str] | None = None
) -> tuple[Job, list[Problem]]:
    """The same for text that is already read."""
    document = read_document(file, text, variables)
    if document.problems:
        raise JobError(sorted(document.problems))
    known = step_types()
    written = steps_of(document, {name: place.folder for name, place in known.items()}, trusted)
    checker = _Checker(document, written, folders_of(file), trusted)
    steps = checker.steps()
    options = options_of(document)
    tests = _tests(document, steps)
    if document.problems:
        raise JobError(sorted(set(document.problems)))
    name = Path(file).stem
    providers = document.data.get("providers", []) if trusted else []
    job = Job(name, file, steps, options, tests, checker.folders, trusted, providers)
    return job, sorted(checker.warnings)


def folders_of(file: str) -> list[str]:
    """Where a job's files are looked for: beside it, in the working folder, and in the project whose folder `jobs` it is in."""
    home = Path(file).resolve().parent
    project = [home.parent] if home.name == "jobs" else []
    return list(dict.fromkeys(str(folder) for folder in (home, Path.cwd(), *project)))


class _Checker:
    def __init__(
        self, document: Document, written: list[Written], folders: list[str], trusted: bool
    ) -> None:
        self.document = document
        self.written = {step.name: step for step in written}
        self.folders = folders
        self.trusted = trusted
        self.done: dict[str, Step] = {}
        self.failed: set[str] = set()
        self.visiting: set[str] = set()
        self.warnings: list[Problem] = []

    def steps(self) -> list[Step]:
        """All steps that could be checked, inputs before those that take them."""
        for name in self.written:
            self._visit(name)
        self._warn_of_unused()
        self._refuse_shared_datasets()
        return [one for step in self.done.values() for one in (step, *self._archives(step))]

    def _archives(self, step: Step) -> list[Step]:
        """The step that keeps a source's readings, where it asks for one."""
        archive = getattr(step.part, "archive", None)
        if archive is None or not archive.lake:
            return []
        config = archive.as_sink()
        sink = load(step_types()["WriteToLake"]).model_validate(config)
        name, source = f"{step.name} (archive)", {"": [(step.name, "output")]}
        return [Step(name, "WriteToLake", step.path, config, sink, source, step.outputs["output"])]

    def _visit(self, name: str) -> Step | None:
        if name in self.done:
            return self.done[name]
        if name in self.failed or name in self.visiting:
            if name in self.visiting:
                self.document.problem(
                    f"'{name}' takes its own output as input", (*self.written[name].path, "input")
                )
                self.failed.add(name)
            return None
        self.visiting.add(name)
        step = self._step(self.written[name])
        self.visiting.discard(name)
        if step is None:
            self.failed.add(name)
        else:
            self.done[name] = step
        return step

    def _step(self, written: Written) -> Step | None:
        part, aliases = self._part(written)
        location = step_types().get(written.type)
        if location is not None and location.folder == "read":
            if written.inputs:
                self.document.problem(
                    f"{written.type} is a source and takes no input", (*written.path, "input")
                )
            return self._finish(written, part, {}, None, aliases)
        if not written.inputs:
            self.document.problem(
                f"{written.type} needs an `input`: the name of a step", written.path
            )
            return None
        found = self._inputs(written)
        if found is None:
            return None
        sources, schema = found
        return self._finish(written, part, sources, schema, aliases)

    def _inputs(
        self, written: Written
    ) -> tuple[dict[str, list[tuple[str, str]]], pa.Schema | None] | None:
        """Where all inputs come from, and the schema of them together."""
        path = (*written.path, "input")
        sides = self._sides(written)
        for name in written.inputs:
            if sides is not None and name not in sides:
                self.document.problem(_sides_wanted(written.type, sides), path)
                return None
        found = {
            name: [self._input(written, one) for one in listed]
            for name, listed in written.inputs.items()
        }
        sources: dict[str, list[tuple[str, str]]] = {}
        schemas: list[tuple[str, pa.Schema]] = []
        for name, ones in found.items():
            for one in ones:
                if one is None:
                    return None
                sources.setdefault(name, []).append((one[0], one[1]))
                if one[2] is not None:
                    schemas.append((name, one[2]))
        count = sum(map(len, sources.values()))
        if count == 1 and "" in sources:
            return sources, schemas[0][1] if schemas else None
        if len(schemas) < count:
            self.document.problem(
                "several inputs need known columns; put them before stock Beam transforms", path
            )
            return None
        try:
            return sources, united_schema(schemas)
        except ValueError as error:
            self.document.problem(str(error), path)
            return None

    def _sides(self, written: Written) -> dict[str, bool] | None:
        """The names of a step's inputs and whether it needs them; None where nothing is known of it."""
        kind = FRAMEWORK_PARTS.get(written.type)
        if kind is None and written.type not in step_types():
            return None
        sides: dict[str, bool] = getattr(kind, "sides", {}) or {"": True}
        missing = [name for name, needed in sides.items() if needed and name not in written.inputs]
        if missing and "" not in written.inputs:
            self.document.problem(_sides_wanted(written.type, sides), (*written.path, "input"))
        return sides

    def _input(self, written: Written, text: str) -> tuple[str, str, pa.Schema | None] | None:
        name, _, output = text.partition(".")
        path = (*written.path, "input")
        if name not in self.written:
            names = [n for n in self.written if n != written.name]
            self.document.problem(
                f"no step '{name}'{near(name, names)} (steps: {', '.join(names)})", path
            )
            return None
        upstream = self._visit(name)
        if upstream is None:
            return None
        output = upstream.aliases.get(output or "output", output or "output")
        if output not in upstream.outputs:
            known = [f"{name}.{o}" if o != "output" else name for o in upstream.outputs]
            has = f"it has {', '.join(known)}" if known else "it is a sink and has none"
            self.document.problem(
                f"'{name}' has no output '{output}'{near(output, list(upstream.outputs))} ({has})",
                path,
            )
            return None
        return name, output, upstream.outputs[output]

    def _part(self, written: Written) -> tuple[Part | None, dict[str, str]]:
        kind: type[Part] | None = FRAMEWORK_PARTS.get(written.type)
        location = step_types().get(written.type)
        path = (*written.path, "config")
        if location is not None:
            try:
                kind = load(location)
            except (UnknownPart, ImportError) as error:
                self.document.problem(str(error), (*written.path, "type"))
        if kind is None:
            return None, {}
        config = dict(written.config)
        aliases = self._error_output(config.pop("error_handling", None), kind, path)
        try:
            return kind.model_validate(
                config, context={"folders": self.folders, "sandboxed": not self.trusted}
            ), aliases
        except ValidationError as error:
            for problem in error.errors():
                self._pydantic(problem, kind, path)
            return None, aliases

    def _error_output(
        self, value: Any, kind: type[Part], path: tuple[str | int, ...]
    ) -> dict[str, str]:
        """Beam YAML's `error_handling: {output: name}` is another name of the output `rejects`."""
        if value is None:
            return {}
        here = (*path, "error_handling")
        if not (issubclass(kind, Source) or getattr(kind, "rejects", False)):
            self.document.problem(
                f"{kind.__name__} rejects nothing, so it has no error_handling", here
            )
        elif (
            not isinstance(value, dict)
            or set(value) != {"output"}
            or not isinstance(value["output"], str)
        ):
            self.document.problem("error_handling is {output: name}", here)
        else:
            return {value["output"]: "rejects"}
        return {}

    def _pydantic(self, problem: Any, kind: type[Part], path: tuple[str | int, ...]) -> None:
        location = tuple(
            step
            for step in problem["loc"]
            if step not in ("str", "dict", "[key]") and not _is_tag(step)
        )
        here = (*path, *location)
        what, given = problem["type"], problem.get("input")
        if what == "extra_forbidden":
            known = _fields_at(kind, location[:-1])
            listed = f" (known: {', '.join(known)})" if known else ""
            message = f"unknown key '{location[-1]}'{near(location[-1], known)}{listed}"
            self.document.problem(message, here, at_key=True)
            return
        if what == "missing":
            self.document.problem(
                f"{kind.__name__} needs `{'.'.join(str(s) for s in location)}`", here[:-1]
            )
            return
        text = problem["msg"].removeprefix("Value error, ")
        text = text[0].lower() + text[1:] if text.startswith("Input ") else text
        text = text.replace(
            "input should be",
            f"'{given}' should be" if isinstance(given, str | int | float) else "this should be",
        )
        self.document.problem(text, here)

    def _finish(
        self,
        written: Written,
        part: Part | None,
        sources: dict[str, list[tuple[str, str]]],
        schema: pa.Schema | None,
        aliases: dict[str, str],
    ) -> Step | None:
        known = written.type in FRAMEWORK_PARTS or written.type in step_types()
        try:
            if part is not None or not known:
                outputs = self._outputs(written, part, schema)
                return Step(
                    written.name,
                    written.type,
                    written.path,
                    written.config,
                    part,
                    sources,
                    schema,
                    outputs,
                    aliases,
                )
        except Faults as faults:
            for fault in faults.faults:
                self._fault(written, fault)
        except Fault as fault:
            self._fault(written, fault)
        except ValueError as error:
            self.document.problem(str(error), (*written.path, "config"))
        if schema is None or written.type not in _PASS_THROUGH:
            return None
        # The job is refused; its columns are still known, so that what follows can be checked in the same pass.
        passed: dict[str, pa.Schema | None] = {
            "output": schema,
            "late": schema,
            "rejects": REJECTS_SCHEMA,
        }
        return Step(
            written.name,
            written.type,
            written.path,
            written.config,
            None,
            sources,
            schema,
            passed,
            aliases,
        )

    def _fault(self, written: Written, fault: Fault) -> None:
        self.document.problem(str(fault), (*written.path, "config", *fault.path), at=fault.at)

    def _outputs(
        self, written: Written, part: Part | None, schema: pa.Schema | None
    ) -> dict[str, pa.Schema | None]:
        if isinstance(part, Source):
            return {"output": part.schema_of_rows(), "rejects": REJECTS_SCHEMA}
        if part is None:
            return {"output": None}
        if schema is None:
            self._warn(
                f"the columns behind stock Beam transforms are not known, so {written.name} is not checked",
                written,
            )
            return {"output": None, "late": None, "alarms": None, "rejects": None}
        if isinstance(part, Sink):
            part.check_schema(schema)
            return {"late": schema} if part.file_span() is not None else {}
        if isinstance(part, Aggregate):
            return {"output": part.output_schema(schema), "late": schema}
        if isinstance(part, Detect):
            return {
                "output": part.output_schema(schema),
                "alarms": part.alarm_schema(schema),
                "late": schema,
            }
        if isinstance(part, Deduplicate):
            return {"output": part.output_schema(schema), "late": schema}
        if isinstance(part, Lookup):
            return {"output": part.output_schema(schema), "late": part.late_schema(schema)}
        if isinstance(part, WindowJoin):
            return {"output": part.output_schema(schema)}
        if isinstance(part, Sequence):
            output = {"output": part.output_schema(schema)}
            return output if part.passes_late else {**output, "late": schema}
        if isinstance(part, ManageAlarms):
            return dict(part.output_schemas(schema))
        assert isinstance(part, Transform)
        outputs: dict[str, pa.Schema | None] = {"output": part.output_schema(schema)}
        return {**outputs, "rejects": REJECTS_SCHEMA} if part.rejects else outputs

    def _warn(self, message: str, written: Written) -> None:
        line, column = self.document.values[written.path]
        self.warnings.append(Problem(self.document.file, line, column, message, is_warning=True))

    def _refuse_shared_datasets(self) -> None:
        """Files are named by what they hold: two steps that write one dataset would replace each other's."""
        known: dict[tuple[str, str], str] = {}
        for step in self.done.values():
            if (
                isinstance(step.part, Sink)
                and step.part.file_span() is not None
                and hasattr(step.part, "dataset")
            ):
                here = (str(getattr(step.part, "lake", "")), str(step.part.dataset))
                if here in known:
                    message = f"'{known[here]}' writes the dataset '{here[1]}' too; one step can take a list of inputs"
                    self.document.problem(message, (*step.path, "config", "dataset"))
                known.setdefault(here, step.name)

    def _warn_of_unused(self) -> None:
        """Rejected and late rows that go nowhere are counted, but cannot be looked at."""
        used = {one for step in self.done.values() for _, one in step.sources()}
        for step in self.done.values():
            if isinstance(step.part, Sink) or step.part is None:
                continue
            if "rejects" in step.outputs and (step.name, "rejects") not in used:
                self._warn(
                    f"{step.name}.rejects goes nowhere: rejected rows are counted, not kept",
                    self.written[step.name],
                )


def _sides_wanted(kind: str, sides: dict[str, bool]) -> str:
    if list(sides) == [""]:
        return f"{kind} takes one input, or a list of inputs with the same columns"
    needed = ", ".join(
        f"`{name}`" + ("" if must else " (optional)") for name, must in sides.items()
    )
    return f"{kind} takes inputs by name: {needed}"


def _is_tag(step: object) -> bool:
    """Pydantic puts the name of a union's member into a location."""
    return isinstance(step, str) and (
        step.startswith(("function-", "constrained-", "nullable[")) or step == "JobFile"
    )


def _fields_at(kind: type[Any], location: tuple[Any, ...]) -> list[str]:
    """Names of the fields of the model at a location inside a configuration, as they are written."""
    fields = getattr(kind, "model_fields", {})
    if location:
        for name, info in fields.items():
            if (info.alias or name) == location[0]:
                inner = [
                    a
                    for a in (info.annotation, *getattr(info.annotation, "__args__", ()))
                    if hasattr(a, "model_fields")
                ]
                rest = location[1:] if inner and inner[0] is info.annotation else location[2:]
                return _fields_at(inner[0], rest) if inner else []
        return []
    return [info.alias or name for name, info in fields.items()]


def _tests(document: Document, steps: list[Step]) -> list[dict[str, Any]]:
    """The tests in the file, with their shape checked."""
    tests = document.data.get("tests") if isinstance(document.data, dict) else None
    if tests is None:
        return []
    if not isinstance(tests, list):
        document.problem("`tests` must be a list", ("tests",))
        return []
    names = {step.name: step for step in steps}
    for at, test in enumerate(tests):
        path = ("tests", at)
        if not isinstance(test, dict) or not {"name", "given", "expect"} <= set(test):
            document.problem("a test has `name`, `given` and `expect`", path)
            continue
        for key in ("given", "expect"):
            for target in test[key] if isinstance(test[key], dict) else {}:
                if str(target).partition(".")[0] not in names and names and not document.problems:
                    known = list(names)
                    document.problem(
                        f"no step '{target}'{near(target, known)}",
                        (*path, key, target),
                        at_key=True,
                    )
    return tests
