"""The folder of a lake: on this machine, or in an object store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

STORE = "s3://"


def is_in_store(lake: str) -> bool:
    """Whether a lake is in an object store."""
    return lake.startswith(STORE)


def check_place(lake: str) -> None:
    """Check the form of a lake's path or address. Raises ValueError for an unknown kind."""
    if not is_in_store(lake):
        lake_folder(lake)
        return
    bucket, _, path = lake.removeprefix(STORE).partition("/")
    if not bucket:
        raise ValueError(f"'{lake}' names no bucket; write s3://BUCKET/FOLDER")
    if any(part in (".", "..") for part in path.split("/")) or path.startswith("/") or "//" in path:
        raise ValueError(f"the path of the address '{lake}' may have no '..', '.' or '//'")


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
            f"'{lake}' is an address, and jobs write lakes to folders of this machine "
            "or to object stores that speak S3 (s3://BUCKET/FOLDER)"
        )
    return Path(unquote(address.path))


def absolute_lake(lake: str) -> str:
    """A lake as workers in another folder find it.

    Raises ValueError as `lake_folder`.
    """
    return lake if is_in_store(lake) else str(lake_folder(lake))
