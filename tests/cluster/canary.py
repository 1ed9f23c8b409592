"""Search for secrets in bytes, also in base64 and in compressed data inside them."""

from __future__ import annotations

import base64
import binascii
import bz2
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{40,}={0,2}")
_DEEPEST = 3
# A library of Flink's own, 20 MB, that each process unpacks among its temporary files.
_FLINKS_OWN = "flink-rpc-akka*.jar"


def layers(blob: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes, and all data encoded or compressed inside them."""
    yield blob
    if depth == _DEEPEST:
        return
    for unpacked in _unpacked(blob):
        yield from layers(unpacked, depth + 1)


def _unpacked(blob: bytes) -> Iterator[bytes]:
    if blob[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
        return
    for start in (
        match.start() for match in re.finditer(rb"\x78[\x01\x5e\x9c\xda]|BZh[1-9]", blob)
    ):
        # Compressed data marks its own end. Bytes after it are ignored.
        worker = bz2.BZ2Decompressor() if blob[start : start + 2] == b"BZ" else zlib.decompressobj()
        try:
            yield worker.decompress(blob[start:])
        except (OSError, EOFError, ValueError, zlib.error):
            continue
    for match in _BASE64.finditer(blob):
        text = match[0].rstrip(b"=")
        for decode in (base64.b64decode, base64.urlsafe_b64decode):
            try:
                yield decode(text + b"=" * (-len(text) % 4))
            except (binascii.Error, ValueError):
                continue


def found_in(blob: bytes, secrets: list[str]) -> list[str]:
    """The secrets in the bytes, as UTF-8 or UTF-16, in any encoding or compression."""
    forms = {
        secret: (secret.encode(), secret.encode("utf-16-le"), secret.encode("utf-16-be"))
        for secret in secrets
    }
    return [
        secret
        for secret, ways in forms.items()
        if any(way in layer for layer in layers(blob) for way in ways)
    ]


def files_with(folder: Path, secrets: list[str], most: int = 64 * 2**20) -> list[str]:
    """The files of a folder that contain a secret, each with the secrets."""
    return [
        f"{file}: {', '.join(found)}"
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and not file.is_symlink()
        and not file.match(_FLINKS_OWN)
        and file.stat().st_size <= most
        and (found := found_in(file.read_bytes(), secrets))
    ]
