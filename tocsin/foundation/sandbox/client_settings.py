"""The settings of Kafka's and the registry's client that a job may set."""

from __future__ import annotations

import difflib
from typing import Any

from tocsin.foundation.printable import one_line

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
# Settings of the registry's client that its library takes as whole numbers, each with the greatest.
REGISTRY_NUMBERS = {
    "max.retries": 100,
    "retries.wait.ms": 60_000,
    "retries.max.wait.ms": 60_000,
    "timeout": 600,
}
STORE_SETTINGS = frozenset(
    {
        "endpoint",
        "region",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "allow_http",
        "ssl.ca.location",
        "timeout",
    }
)
SECRETS = frozenset(
    {
        "sasl.username",
        "sasl.password",
        "ssl.key.pem",
        "ssl.key.password",
        "basic.auth.user.info",
        "access_key_id",
        "secret_access_key",
        "session_token",
    }
)
_MUST_BE_REFERENCES = SECRETS - {"sasl.username", "access_key_id"}


def check_settings(settings: dict[str, Any], allowed: frozenset[str], what: str) -> None:
    """Check a client's settings that a job contains.

    Args:
        settings: values by name.
        allowed: names that a job may set.
        what: the client's name, for the error.

    Raises:
        ValueError: for a setting that is not allowed, a secret that is no reference, a reference in
            a setting that is no secret, and a value with control characters.
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
        if isinstance(value, str) and one_line(value) != value and not name.endswith(".pem"):
            raise ValueError(f"'{name}' of {what} holds a control character")


def registry_numbers(settings: dict[str, Any]) -> dict[str, int]:
    """The whole numbers in the settings of a registry's client, by name.

    Raises ValueError for one that is no whole number from 0 to the greatest that is allowed.
    """
    found = {}
    for name, greatest in REGISTRY_NUMBERS.items():
        if name in settings:
            text = str(settings[name])
            if not (text.isascii() and text.isdigit() and int(text) <= greatest):
                raise ValueError(f"'{name}' is a whole number from 0 to {greatest}, not '{text}'")
            found[name] = int(text)
    return found
