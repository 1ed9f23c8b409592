"""Parts from their configuration in a job file. Mistakes become problems of the document."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from tocsin.compiler.grammar import Written, near
from tocsin.compiler.yaml_document import Document, YamlPath
from tocsin.foundation.failure import UnknownPart
from tocsin.parts.part import Part
from tocsin.parts.registry import load
from tocsin.parts.source import Source
from tocsin.steps.catalogue import step_types

# Errors other than ValueError that a library raises for a value of a job.
UNUSABLE = (OSError, OverflowError, RecursionError, NotImplementedError)


def sentence_of(error: BaseException) -> str:
    """A sentence about one of these errors."""
    if isinstance(error, RecursionError):
        return "nested too deep to be read"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot read '{str(error.filename)[:200]}': {error.strerror}"
    return f"a value that cannot be used: {(str(error).splitlines() or [''])[0][:500]}"


class Configurations:
    """Makes the parts of one job. folders: where its files are searched for."""

    def __init__(self, document: Document, folders: list[str], trusted: bool) -> None:
        self.document = document
        self.context = {"folders": folders, "sandboxed": not trusted}
        self._kinds: dict[str, type[Part] | None] = {}

    def kind(self, written: Written) -> type[Part] | None:
        """The class of a step; None for a stock Beam transform, or if its file is wrong."""
        if written.type not in self._kinds:
            self._kinds[written.type] = self._loaded(written)
        return self._kinds[written.type]

    def _loaded(self, written: Written) -> type[Part] | None:
        location = step_types().get(written.type)
        if location is None:
            return None
        try:
            found: type[Part] = load(location)
        except (UnknownPart, ImportError) as error:
            self.document.problem(str(error), (*written.path, "type"))
            return None
        return found

    def part(self, written: Written) -> tuple[Part | None, dict[str, str]]:
        """The part, or None if it is wrong; and other names of its outputs."""
        kind = self.kind(written)
        if kind is None:
            return None, {}
        path = (*written.path, "config")
        config = dict(written.config)
        aliases = self._error_output(config.pop("error_handling", None), kind, path)
        try:
            return kind.model_validate(config, context=self.context), aliases
        except ValidationError as error:
            for problem in error.errors():
                self._problem(problem, kind, path)
        except UNUSABLE as error:
            self.document.problem(sentence_of(error), path)
        return None, aliases

    def _error_output(self, value: Any, kind: type[Part], path: YamlPath) -> dict[str, str]:
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

    def _problem(self, problem: Any, kind: type[Part], path: YamlPath) -> None:
        """One mistake that Pydantic found, as a sentence."""
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
        shown = f"'{given}' should be" if isinstance(given, str | int | float) else "this should be"
        self.document.problem(text.replace("input should be", shown), here)


def _is_tag(step: object) -> bool:
    """Whether part of a location is the name of a union's member, which Pydantic puts there."""
    return isinstance(step, str) and (
        step.startswith(("function-", "constrained-", "nullable[")) or step == "JobFile"
    )


def _fields_at(kind: type[Any], location: tuple[Any, ...]) -> list[str]:
    """Names of the fields at a location inside a configuration, as a job writes them."""
    fields = getattr(kind, "model_fields", {})
    if not location:
        return [info.alias or name for name, info in fields.items()]
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
