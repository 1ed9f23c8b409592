"""The addresses that a job can name: brokers, registries, and folders of object stores.

Each has one plain form. Whatever a client could read in another way is refused: user names, query
parameters, fragments, escapes, chained file systems, and numbers in place of a host.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

STORE_SCHEMES = ("s3", "gs", "abfs", "az")
REGISTRY_SCHEMES = ("http", "https")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_PLAIN = re.compile(r"[A-Za-z0-9._~!$'()*+,;=:/-]*")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[^/]+")


@dataclass(frozen=True)
class Url:
    """A scheme, a host in lower case, and a path that is empty or begins with a slash."""

    scheme: str
    host: str
    path: str


def host_of(authority: str) -> str:
    """The host of `host`, `host:port` or `[::1]:port`, in lower case and without brackets.

    Raises:
        ValueError: for anything else, such as a user name or a host in another notation.
    """
    host, port = _split(authority.lower())
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise ValueError(f"'{authority}' has no port from 1 to 65535")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise ValueError(f"'{authority}' is no host or host:port") from None
    if _NUMBER.fullmatch(host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError(f"'{authority}' is no IPv4 address, such as 192.0.2.1") from None
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise ValueError(f"'{authority}' is no host or host:port")
    return host


def _split(authority: str) -> tuple[str, str | None]:
    """The host and the port, if one is given."""
    if authority.startswith("["):
        host, closed, rest = authority[1:].partition("]")
        # An address of version 6 has a zone after a percent sign, which names an interface.
        if not closed or ":" not in host or "%" in host or rest[:1] not in ("", ":"):
            return "", None
        return host, rest[1:] if rest else None
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def url_of(text: str, schemes: tuple[str, ...]) -> Url:
    """The parts of a URL.

    Args:
        text: the URL.
        schemes: those that it may have.

    Raises:
        ValueError: for another scheme, and for all that could lead to another host or folder.
    """
    scheme, found, rest = text.partition("://")
    if not found or scheme.lower() not in schemes:
        listed = ", ".join(f"{one}://" for one in schemes)
        raise ValueError(f"a job may not open the address '{text}'; it may begin with {listed}")
    if "?" in rest or "#" in rest:
        raise ValueError(f"the address '{text}' may have no parameters after ? or #")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        raise ValueError(f"the address '{text}' may have no user name or password")
    is_bracketed = authority.startswith("[")
    if "::" in (path if is_bracketed else rest) or not _PLAIN.fullmatch(
        re.sub(r"^\[[0-9a-fA-F:.]+\]", "", rest)
    ):
        raise ValueError(f"the address '{text}' has characters that no plain address has")
    if path and not all(_SEGMENT.fullmatch(one) for one in path.rstrip("/").split("/")):
        raise ValueError(f"the path of the address '{text}' may have no '..', '.' or '//'")
    return Url(scheme.lower(), _authority(scheme, authority), slash + path)


def _authority(scheme: str, authority: str) -> str:
    """The host; for a file an empty one; for a store the bucket, which has no port."""
    if scheme.lower() == "file":
        if authority:
            raise ValueError(f"'file://{authority}' names a host; write file:///folder")
        return ""
    if scheme.lower() in STORE_SCHEMES and not re.fullmatch(r"[A-Za-z0-9._-]+", authority):
        raise ValueError(f"'{scheme}://{authority}' names no bucket")
    return authority if scheme.lower() in STORE_SCHEMES else host_of(authority)


def is_allowed(host: str, patterns: tuple[str, ...]) -> bool:
    """Whether a host fits one of the patterns, in which `*` is any text."""
    return any(re.fullmatch(_pattern(one), host) for one in patterns)


def _pattern(text: str) -> str:
    host = text.strip().lower()
    try:
        host = host_of(host)
    except ValueError:
        host = host.strip("[]")
    return ".*".join(re.escape(piece) for piece in host.split("*"))


def is_inside(store: Url, allowed: str) -> bool:
    """Whether a folder of a store is an allowed one, or in it."""
    try:
        outer = url_of(allowed, STORE_SCHEMES)
    except ValueError:
        return False
    inside = f"{store.path.rstrip('/')}/".startswith(f"{outer.path.rstrip('/')}/")
    return (store.scheme, store.host) == (outer.scheme, outer.host) and inside
