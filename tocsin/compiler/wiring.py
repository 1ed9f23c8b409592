"""Where the inputs of a step come from. Mistakes become problems of the document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from tocsin.compiler.grammar import Written, near
from tocsin.compiler.job import Step
from tocsin.compiler.yaml_document import Document
from tocsin.parts.part import Part
from tocsin.steps.state.union import united_schema

_ONE_INPUT = {"": True}


@dataclass(frozen=True)
class Wired:
    """The inputs of a step: (step, output) of each by input name, and the schema of all together.

    schema: None if it is not known before Beam expands the job.
    """

    sources: dict[str, list[tuple[str, str]]]
    schema: pa.Schema | None


class Wiring:
    """Finds the inputs of the steps of one job. visit: checks a step by name, or returns None."""

    def __init__(
        self, document: Document, names: list[str], visit: Callable[[str], Step | None]
    ) -> None:
        self.document = document
        self.names = names
        self.visit = visit

    def inputs(self, written: Written, kind: type[Part] | None) -> Wired | None:
        """The inputs of a step, or None if one is wrong. kind: its class."""
        path = (*written.path, "input")
        if kind is not None and not self._names_fit(written, kind):
            return None
        found = {
            name: [self._output(written, one) for one in listed]
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
            return Wired(sources, schemas[0][1] if schemas else None)
        if len(schemas) < count:
            self.document.problem(
                "several inputs need known columns; put them before stock Beam transforms", path
            )
            return None
        try:
            return Wired(sources, united_schema(schemas))
        except ValueError as error:
            self.document.problem(str(error), path)
            return None

    def _names_fit(self, written: Written, kind: type[Part]) -> bool:
        """Whether the step has inputs of these names. A missing one is a problem, too."""
        known: dict[str, bool] = getattr(kind, "inputs", _ONE_INPUT)
        path = (*written.path, "input")
        missing = [name for name, needed in known.items() if needed and name not in written.inputs]
        if missing and "" not in written.inputs:
            self.document.problem(_inputs_wanted(written.type, known), path)
        if any(name not in known for name in written.inputs):
            self.document.problem(_inputs_wanted(written.type, known), path)
            return False
        return True

    def _output(self, written: Written, text: str) -> tuple[str, str, pa.Schema | None] | None:
        """Step, output and schema that an input `step.output` names."""
        name, _, output = text.partition(".")
        path = (*written.path, "input")
        if name not in self.names:
            names = [n for n in self.names if n != written.name]
            self.document.problem(
                f"no step '{name}'{near(name, names)} (steps: {', '.join(names)})", path
            )
            return None
        upstream = self.visit(name)
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


def _inputs_wanted(kind: str, inputs: dict[str, bool]) -> str:
    if list(inputs) == [""]:
        return f"{kind} takes one input, or a list of inputs with the same columns"
    needed = ", ".join(
        f"`{name}`" + ("" if must else " (optional)") for name, must in inputs.items()
    )
    return f"{kind} takes inputs by name: {needed}"
