"""The folder of a lake that a job writes."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit


def lake_folder(lake: str) -> Path:
    """The absolute folder of a path or a `file:` address.

    Raises:
        ValueError: for an address of an object store.
    """
    if "://" not in lake:
        return Path(lake).absolute()
    address = urlsplit(lake)
    if address.scheme != "file" or address.netloc not in ("", "localhost"):
        raise ValueError(
            f"'{lake}' is an address, and jobs write lakes to folders of this machine; "
            "object stores are not supported yet"
        )
    return Path(unquote(address.path))
