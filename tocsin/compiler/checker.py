"""A job file to a checked job: grammar, configurations and columns, all mistakes in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from tocsin.compiler.configurations import UNUSABLE, Configurations, sentence_of
from tocsin.compiler.declared_tests import tests_of
from tocsin.compiler.diagnostics import JobError, Problem
from tocsin.compiler.grammar import Written, options_of, steps_of
from tocsin.compiler.job import Job, Step
from tocsin.compiler.job_text import text_of
from tocsin.compiler.outputs import outputs_of, passed_through
from tocsin.compiler.wiring import Wired, Wiring
from tocsin.compiler.yaml_document import Document, read_document
from tocsin.foundation.faults import Fault, Faults
from tocsin.parts.part import Part
from tocsin.parts.registry import load
from tocsin.parts.sink import Sink
from tocsin.steps.catalogue import step_types


def check_file(
    file: str, *, trusted: bool = False, variables: Mapping[str, str] | None = None
) -> tuple[Job, list[Problem]]:
    """The job and its warnings.

    Raises JobError with all mistakes, and OSError if the file cannot be read.
    """
    return check_text(file, text_of(file), trusted=trusted, variables=variables)


def check_text(
    file: str, text: str, *, trusted: bool = False, variables: Mapping[str, str] | None = None
) -> tuple[Job, list[Problem]]:
    """The same for text that is already read."""
    document = read_document(file, text, variables, trusted=trusted)
    if document.problems:
        raise JobError(sorted(document.problems))
    written = steps_of(document, list(step_types()), trusted)
    checker = _Checker(document, written, folders_of(file), trusted)
    steps = checker.steps()
    options = options_of(document)
    tests = tests_of(document, steps)
    if document.problems:
        raise JobError(sorted(set(document.problems)))
    name = Path(file).stem
    providers = document.data.get("providers", []) if trusted else []
    job = Job(name, file, steps, options, tests, checker.folders, trusted, providers)
    return job, sorted(checker.warnings)


def folders_of(file: str) -> list[str]:
    """Where the files of a job are searched for.

    They are the job's folder, the working folder, and the project if the job is in its `jobs`.
    """
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
        self.configurations = Configurations(document, folders, trusted)
        self.wiring = Wiring(document, list(self.written), self._visit)
        self.done: dict[str, Step] = {}
        self.failed: set[str] = set()
        self.visiting: set[str] = set()
        self.warnings: list[Problem] = []

    def steps(self) -> list[Step]:
        """All steps that could be checked, each behind its inputs."""
        for name in self.written:
            self._visit(name)
        self._warn_of_unused()
        self._refuse_shared_datasets()
        return [one for step in self.done.values() for one in (step, *self._archives(step))]

    def _archives(self, step: Step) -> list[Step]:
        """The step that keeps a source's readings, if the source has an archive."""
        archive = getattr(step.part, "archive", None)
        if archive is None or not archive.lake:
            return []
        config = archive.as_sink()
        sink = load(step_types()["WriteToLake"]).model_validate(
            config, context=self.configurations.context
        )
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
        part, aliases = self.configurations.part(written)
        location = step_types().get(written.type)
        if location is not None and location.folder == "read":
            if written.inputs:
                self.document.problem(
                    f"{written.type} is a source and takes no input", (*written.path, "input")
                )
            return self._finish(written, part, Wired({}, None), aliases)
        if not written.inputs:
            self.document.problem(
                f"{written.type} needs an `input`: the name of a step", written.path
            )
            return None
        wired = self.wiring.inputs(written, self.configurations.kind(written))
        return None if wired is None else self._finish(written, part, wired, aliases)

    def _finish(
        self, written: Written, part: Part | None, wired: Wired, aliases: dict[str, str]
    ) -> Step | None:
        kind = self.configurations.kind(written)
        outputs: dict[str, pa.Schema | None] | None = None
        if part is not None:
            outputs = self._outputs(written, part, wired)
        elif written.type not in step_types():
            outputs = {"output": None}
        if outputs is None:
            # The job is refused. The columns may still be known, so the steps behind are checked.
            if wired.schema is None or not getattr(kind, "keeps_columns", False):
                return None
            part, outputs = None, passed_through(wired.schema)
        return Step(
            written.name,
            written.type,
            written.path,
            written.config,
            part,
            wired.sources,
            wired.schema,
            outputs,
            aliases,
        )

    def _outputs(
        self, written: Written, part: Part, wired: Wired
    ) -> dict[str, pa.Schema | None] | None:
        """The outputs, or None if the part does not fit its input."""
        if wired.sources and wired.schema is None:
            self._warn(
                "the columns behind stock Beam transforms are not known, "
                f"so {written.name} is not checked",
                written,
            )
        try:
            return outputs_of(part, wired.schema)
        except Faults as faults:
            for fault in faults.faults:
                self._fault(written, fault)
        except Fault as fault:
            self._fault(written, fault)
        except ValueError as error:
            self.document.problem(str(error), (*written.path, "config"))
        except UNUSABLE as error:
            self.document.problem(sentence_of(error), (*written.path, "config"))
        return None

    def _fault(self, written: Written, fault: Fault) -> None:
        self.document.problem(str(fault), (*written.path, "config", *fault.path), at=fault.at)

    def _warn(self, message: str, written: Written) -> None:
        line, column = self.document.values[written.path]
        self.warnings.append(Problem(self.document.file, line, column, message, is_warning=True))

    def _refuse_shared_datasets(self) -> None:
        """Files are named by what they hold: two writers of one dataset would replace files."""
        known: dict[tuple[str, str], str] = {}
        for step in self.done.values():
            if (
                isinstance(step.part, Sink)
                and step.part.file_span() is not None
                and hasattr(step.part, "dataset")
            ):
                here = (str(getattr(step.part, "lake", "")), str(step.part.dataset))
                if here in known:
                    message = (
                        f"'{known[here]}' writes the dataset '{here[1]}' too; "
                        "one step can take a list of inputs"
                    )
                    self.document.problem(message, (*step.path, "config", "dataset"))
                known.setdefault(here, step.name)

    def _warn_of_unused(self) -> None:
        """Rejected rows that no step reads are counted, but nobody can look at them."""
        used = {one for step in self.done.values() for _, one in step.sources()}
        for step in self.done.values():
            if isinstance(step.part, Sink) or step.part is None:
                continue
            if "rejects" in step.outputs and (step.name, "rejects") not in used:
                self._warn(
                    f"{step.name}.rejects goes nowhere: rejected rows are counted, not kept",
                    self.written[step.name],
                )
