"""The manifest of a checkpoint: a JSON object, checked by its checksum and its form."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

from tocsin.foundation.failure import Failure

MANIFEST, FORMAT = "manifest.json", 1
_CHECKSUM = "checksum"
_LARGEST = 2**63


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder; None if it has none. Raises Failure for one that is damaged."""
    path = folder / MANIFEST
    try:
        found: dict[str, Any] = json.loads(
            path.read_bytes(), parse_int=_integer, parse_constant=_integer
        )
        written, checksum = found["format"], found.get(_CHECKSUM)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Failure(f"{path} is no manifest of a checkpoint") from None
    if written != FORMAT:
        raise Failure(f"{path} has the format {written}; this program reads the format {FORMAT}")
    if checksum != _checksum(found) or not _has_form(found):
        raise Failure(f"{path} is damaged: the checkpoint cannot be restored")
    return found


def sealed(content: dict[str, Any]) -> bytes:
    """A manifest with its format and checksum, as bytes. content: of the store and of the job."""
    known = {"format": FORMAT, **content}
    return json.dumps({**known, _CHECKSUM: _checksum(known)}).encode()


def _checksum(content: dict[str, Any]) -> int:
    """The CRC-32 of a manifest without its checksum."""
    rest = {name: value for name, value in content.items() if name != _CHECKSUM}
    return zlib.crc32(json.dumps(rest).encode())


def _has_form(found: dict[str, Any]) -> bool:
    """Whether a manifest names segments and pieces that this store could have written."""
    segments, pieces = found.get("segments"), found.get("pieces")
    return (
        _is_count(found.get("number"))
        and isinstance(segments, dict)
        and all(name.isdecimal() and _is_count(size) for name, size in segments.items())
        and isinstance(pieces, list)
        and all(_is_place(one, segments) for one in pieces)
    )


def _is_place(found: object, segments: dict[str, int]) -> bool:
    """Whether a piece lies in one of the segments."""
    return (
        isinstance(found, list)
        and len(found) == 4
        and all(map(_is_count, found))
        and found[1] + found[2] <= segments.get(str(found[0]), -1)
    )


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _integer(text: str) -> int:
    """An integer of 64 bits. Raises ValueError for others, and for NaN."""
    found = int(text)
    if not -_LARGEST <= found < _LARGEST:
        raise ValueError(text)
    return found
