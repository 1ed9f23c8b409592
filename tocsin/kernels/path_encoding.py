"""File names made from data. No value can escape its folder or collide with another value."""

from __future__ import annotations

import hashlib

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_LONGEST = 120
NULL = "__HIVE_DEFAULT_PARTITION__"


def path_part(value: object) -> str:
    """A file name for a value: letters, digits, '-' and '_' unchanged, every other byte as %XX.

    Different values give different names. A name is never empty, '.', '..', hidden or longer than
    200 bytes: a long one ends in a hash. None gives NULL. Readers that decode Hive partitions
    (DuckDB, Spark, Polars) recover the value.
    """
    if value is None:
        return NULL
    text = str(value)
    encoded = "".join(
        chr(b) if chr(b) in _PLAIN else f"%{b:02X}" for b in text.encode("utf-8", "surrogatepass")
    )
    if len(encoded) > _LONGEST:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{encoded[:_LONGEST].rpartition('%')[0] or encoded[:_LONGEST]}%~{digest}"
    if encoded == NULL:
        return f"%5F{encoded[1:]}"
    return encoded or "%"
