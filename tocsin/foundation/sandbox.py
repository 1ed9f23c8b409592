"""The sandbox of untrusted jobs: the hosts, folders and client settings that they may use.

The operator allows hosts and folders by environment variables. A part passes the context of its
validation. Without a context (a part created in Python, or a trusted job) there is no sandbox.
"""

from __future__ import annotations

import difflib
import fnmatch
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HOSTS_VARIABLE = "TOCSIN_ALLOW_HOSTS"
FOLDERS_VARIABLE = "TOCSIN_ALLOW_FOLDERS"
BROKERS_VARIABLE = "TOCSIN_BROKERS"
_HERE = ("localhost", "127.0.0.1", "[::1]", "::1")

# The settings of librdkafka that a job may set. Others load libraries, run commands, open files or
# endpoints, or disable checks.
KAFKA_SETTINGS = frozenset(
    {
        "security.protocol",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.certificate.pem",
        "ssl.key.location",
        "ssl.key.pem",
        "ssl.key.password",
        "client.id",
        "client.rack",
        "compression.type",
        "linger.ms",
        "batch.size",
        "message.max.bytes",
        "fetch.max.bytes",
        "fetch.wait.max.ms",
        "fetch.message.max.bytes",
        "queued.min.messages",
        "queued.max.messages.kbytes",
        "socket.timeout.ms",
        "socket.keepalive.enable",
        "socket.connection.setup.timeout.ms",
        "reconnect.backoff.ms",
        "reconnect.backoff.max.ms",
        "message.timeout.ms",
        "request.timeout.ms",
        "metadata.max.age.ms",
        "broker.address.family",
        "check.crcs",
        "group.id",
    }
)
REGISTRY_SETTINGS = frozenset(
    {
        "basic.auth.user.info",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "max.retries",
        "retries.wait.ms",
        "retries.max.wait.ms",
        "timeout",
    }
)
SECRETS = frozenset(
    {"sasl.username", "sasl.password", "ssl.key.pem", "ssl.key.password", "basic.auth.user.info"}
)
_MUST_BE_REFERENCES = SECRETS - {"sasl.username"}


def check_settings(settings: dict[str, Any], allowed: frozenset[str], what: str) -> None:
    """Check a client's settings that a job contains.

    Args:
        settings: values by name.
        allowed: names that a job may set.
        what: the client's name, for the error.

    Raises:
        ValueError: for a setting that is not allowed, a secret that is no reference, or a reference
            in a setting that is no secret.
    """
    for name, value in settings.items():
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1)
            hint = f", did you mean '{near[0]}'?" if near else ""
            raise ValueError(
                f"a job may not set '{name}' of {what}{hint} "
                f"(allowed: {', '.join(sorted(allowed))})"
            )
        is_reference = isinstance(value, str) and value.startswith(("env:", "file:"))
        if name in _MUST_BE_REFERENCES and not is_reference:
            raise ValueError(
                f"'{name}' is a secret and must not stand in a job; write env:NAME or file:/path"
            )
        if is_reference and name not in SECRETS:
            raise ValueError(
                f"'{name}' is no secret; "
                f"only {', '.join(sorted(SECRETS & allowed))} may be references"
            )


def allowed_hosts() -> list[str]:
    """The hosts that an untrusted job may reach.

    These are this machine, the hosts in $TOCSIN_BROKERS and the patterns in $TOCSIN_ALLOW_HOSTS,
    such as *.city.example.
    """
    brokers = [
        _host_of(broker)
        for broker in os.environ.get(BROKERS_VARIABLE, "").split(",")
        if broker.strip()
    ]
    given = [host.strip() for host in os.environ.get(HOSTS_VARIABLE, "").split(",") if host.strip()]
    return list(dict.fromkeys([*_HERE, *brokers, *given]))


def check_hosts(addresses: str, context: Any) -> None:
    """Check the hosts of a comma-separated list of addresses (host:port or URLs).

    Args:
        addresses: the addresses.
        context: validation context of the job, or None.

    Raises:
        ValueError: for a host that the operator did not allow.
    """
    if not (context or {}).get("sandboxed"):
        return
    allowed = allowed_hosts()
    for address in addresses.split(","):
        host = _host_of(address)
        if not any(fnmatch.fnmatchcase(host, pattern.lower()) for pattern in allowed):
            raise ValueError(
                f"the host '{host}' is not allowed here (allowed: {', '.join(allowed)}); "
                f"the operator adds it to {HOSTS_VARIABLE}, or runs the job with --trusted"
            )


def _host_of(address: str) -> str:
    text = address.strip()
    found = urlsplit(text if "://" in text else f"//{text}").hostname
    return (found or text).lower()


def check_file(path: Path, context: Any) -> None:
    """Check a file that a job reads.

    Args:
        path: the file.
        context: validation context of the job, or None.

    Raises:
        ValueError: if the file is neither in the job's folders nor in $TOCSIN_ALLOW_FOLDERS.
    """
    check_readable(path, readable_folders(context))


def readable_folders(context: Any) -> tuple[str, ...] | None:
    """The folders whose files a job may read, links resolved; None for all.

    A part that finds or opens files after its validation keeps them for `check_readable`.
    """
    if not (context or {}).get("sandboxed"):
        return None
    folders = [*context.get("folders", ["."]), *_allowed_folders()]
    return tuple(str(Path(folder).resolve()) for folder in folders)


def check_readable(path: Path, folders: tuple[str, ...] | None) -> None:
    """Check a file that is about to be listed or opened.

    Args:
        path: the file. Links are resolved, and `..` is followed.
        folders: what `readable_folders` gave.

    Raises:
        ValueError: if the file is in none of the folders.
    """
    if folders is not None and not _is_under(path, list(folders)):
        raise ValueError(
            f"the file '{path}' is not in the job's folders; "
            f"the operator adds its folder to {FOLDERS_VARIABLE}, or runs the job with --trusted"
        )


def check_lake(lake: str, context: Any) -> None:
    """Check the folder of a lake that a job writes.

    Args:
        lake: folder or URI.
        context: validation context of the job, or None.

    Raises:
        ValueError: if $TOCSIN_ALLOW_FOLDERS is set and the lake is on a disk elsewhere.
    """
    if not (context or {}).get("sandboxed"):
        return
    if "://" in lake and not lake.startswith("file://"):
        # The credentials that the operator gives the workers decide which buckets they may write.
        return
    folders = _allowed_folders()
    path = Path(lake.removeprefix("file://"))
    if folders and not _is_under(path, [str(Path.cwd()), *folders]):
        raise ValueError(
            f"the lake '{lake}' is in none of the folders that the operator allowed "
            f"({FOLDERS_VARIABLE})"
        )


def _allowed_folders() -> list[str]:
    return [folder for folder in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if folder]


def _is_under(path: Path, folders: list[str]) -> bool:
    """Whether a file, after resolving links, is in one of the folders. The root never counts."""
    real = path.resolve()
    resolved = [Path(folder).resolve() for folder in folders]
    return any(real.is_relative_to(folder) for folder in resolved if folder != folder.parent)
