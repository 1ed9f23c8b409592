"""The verbs of the command by purpose, each imported when it runs."""

from __future__ import annotations

import ast
from pathlib import Path

from cyclopts import App, Group

from tocsin import __version__

VERBS = {
    "Write a job": ("check", "test", "plan", "list", "explain", "schema"),
    "Run a job on this machine": ("run", "backfill"),
    "Run a job on Flink": (
        "submit",
        "status",
        "logs",
        "savepoint",
        "upgrade",
        "stop",
        "workers",
    ),
    "Read the results": ("lake", "alarms"),
    "Simulate and replay": ("demo", "simulate", "replay"),
    "Write a part": ("new", "laws", "bench"),
    "Check this machine": ("doctor",),
}
_HELP = """Turn city sensor telemetry in Kafka into a Parquet lake and alarm topics.

A YAML file declares each job.

tocsin demo

tocsin check jobs/air_quality.yaml

tocsin run jobs/air_quality.yaml

tocsin lake lake "select * from air_quality limit 5"
"""
_EXIT_CODES = (
    "Exit codes: 0 done, 1 the run failed, 2 the job or the command is wrong, "
    "130 interrupted, 143 terminated."
)


def command_line(*, with_summaries: bool) -> App:
    """The command. with_summaries: for its own help, which shows a line about each verb."""
    app = App(
        name="tocsin",
        version=__version__,
        suppress_keyboard_interrupt=False,
        help=_HELP,
        help_epilogue=_EXIT_CODES,
    )
    for at, (purpose, verbs) in enumerate(VERBS.items()):
        group = Group(purpose, sort_key=at)
        for verb in verbs:
            function = "list_parts" if verb == "list" else verb
            module = f"tocsin.cli.{verb}_verb:{function}"
            if with_summaries:
                app.command(module, name=verb, group=group, help=summary_of(verb))
            else:
                app.command(module, name=verb, group=group)
    options = Group("Options", sort_key=len(VERBS))
    app["--help"].group = app["--version"].group = options
    return app


def summary_of(verb: str) -> str:
    """The first line of a verb's docstring, read without importing its module."""
    file = Path(__file__).with_name(f"{verb}_verb.py")
    wanted = "list_parts" if verb == "list" else verb
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == wanted:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise LookupError(f"{file} has no function {wanted}")
