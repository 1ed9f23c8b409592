"""Where a lake is worked on: its folder, or the mirror of an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tocsin.foundation.lake_folder import is_in_store, lake_folder
from tocsin.foundation.sandbox import resolved_store
from tocsin.table.mirrors import Mirror, mirror, mirrors


def place_of(
    lake: str, settings: dict[str, Any] | None = None, places: tuple[str, ...] | None = None
) -> Path:
    """The folder of this machine for a lake; no request is sent.

    Args:
        lake: a folder, or an address such as s3://city-lake/air.
        settings: of the connection to a store, with references to secrets; empty for the one of
            this environment.
        places: what `judge_store` gave.

    Raises:
        ValueError: for another address.
        Failure: for a secret that is missing, and settings that are not valid.
    """
    return mirror_for(lake, settings, places).root if is_in_store(lake) else lake_folder(lake)


def mirror_for(
    lake: str, settings: dict[str, Any] | None = None, places: tuple[str, ...] | None = None
) -> Mirror:
    """The mirror of a lake in a store. Raises as `place_of`."""
    return mirror(lake.rstrip("/"), resolved_store(settings or {}, places))


def shown(text: str) -> str:
    """A text with addresses of stores in place of this machine's folders for them."""
    for one in mirrors():
        text = one.shown(text)
    return text
