"""The values of partition columns, from the names of folders.

DuckDB guesses types and decodes names by its own rules: null and some texts fall together, and 007
becomes 7. These rules are the inverse of `path_part`.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

from tocsin.kernels.path_encoding import NULL

_EMPTY = "%"  # An empty text, as a folder's name.


def partition_value(encoded: str) -> str | None:
    """The text of a value in a folder's name, or None for null.

    A long value was cut when it was encoded; its beginning and its hash are returned.
    """
    if encoded == NULL:
        return None
    return "" if encoded == _EMPTY else unquote(encoded)


def partition_values(folder: Path, file: Path) -> dict[str, str | None]:
    """The values of a file's partitions by column. folder: of its dataset."""
    named = [part.partition("=") for part in file.relative_to(folder).parts[:-1]]
    return {name: partition_value(encoded) for name, sign, encoded in named if sign}


def partition_types(heads: list[dict[str, str]]) -> dict[str, str]:
    """The SQL type of each partition column that a footer declares; text where files differ.

    Times and the partitions of older files are not declared.
    """
    found: dict[str, set[str]] = {}
    for head in heads:
        for name, kind in json.loads(head.get("tocsin.partitions", "{}")).items():
            found.setdefault(name, set()).add(_sql_type(kind))
    return {name: kinds.pop() if len(kinds) == 1 else "VARCHAR" for name, kinds in found.items()}


def _sql_type(arrow: str) -> str:
    if arrow.startswith(("int", "uint")):
        return "UBIGINT" if arrow == "uint64" else "BIGINT"
    return {"bool": "BOOLEAN", "double": "DOUBLE", "float": "FLOAT"}.get(arrow, "VARCHAR")
