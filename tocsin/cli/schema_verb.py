"""`tocsin schema`."""

from __future__ import annotations

from tocsin.cli.console import DONE, show_json
from tocsin.compiler.json_schema import job_schema


def schema() -> int:
    """Print the JSON Schema of job files, for editors."""
    show_json(job_schema())
    return DONE
