"""References to secrets: `env:NAME` and `file:/path` in the settings of a client.

A job that is not trusted refers only to secrets that the operator lists, each with the hosts that
may receive it. A client resolves a reference when it is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tocsin.foundation.failure import Failure
from tocsin.foundation.sandbox.addresses import is_allowed
from tocsin.foundation.sandbox.client_settings import SECRETS
from tocsin.foundation.sandbox.paths import check_readable, readable_folders
from tocsin.foundation.sandbox.policy import (
    SECRETS_VARIABLE,
    Policy,
    is_sandboxed,
    operator_policy,
    where_to_list,
)

_FILE_SETTING = ".location"


def is_reference(value: Any) -> bool:
    """Whether the value of a setting refers to a secret."""
    return isinstance(value, str) and value.startswith(("env:", "file:"))


def judge_settings(
    settings: dict[str, Any], hosts: Callable[[], list[str]], context: Any
) -> tuple[str, ...] | None:
    """Check the references and the files in the settings of a client.

    Args:
        settings: values by name.
        hosts: gives all hosts that the client sends to.
        context: validation context of the job, or None.

    Returns:
        The places whose files the client may read, for `resolved_settings`; None for all.

    Raises:
        ValueError: for a secret that the operator did not list for each of the hosts, and for a
            file that is neither listed nor in the job's folders.
    """
    folders = readable_folders(context)
    if not is_sandboxed(context) or folders is None:
        return None
    policy = operator_policy()
    for name, value in settings.items():
        if name in SECRETS and is_reference(value):
            _check_reference(str(value), hosts(), policy)
    listed = (one.removeprefix("file:") for one in policy.secrets if one.startswith("file:"))
    places = (*folders, *(str(Path(one).resolve()) for one in listed))
    for name, value in settings.items():
        if name.endswith(_FILE_SETTING):
            check_readable(Path(str(value)), places)
    return places


def _check_reference(reference: str, hosts: list[str], policy: Policy) -> None:
    patterns = policy.secrets.get(reference)
    if patterns is None:
        raise ValueError(
            f"a job may not refer to the secret {reference}; "
            + where_to_list(SECRETS_VARIABLE, "[secrets]")
        )
    for host in hosts:
        if not is_allowed(host, patterns):
            raise ValueError(
                f"the secret {reference} may not be sent to the host '{host}' "
                f"(allowed: {', '.join(patterns)}); " + where_to_list(SECRETS_VARIABLE, "[secrets]")
            )


def resolved_settings(settings: dict[str, Any], places: tuple[str, ...] | None) -> dict[str, Any]:
    """The settings with the values of their references.

    Args:
        settings: values by name.
        places: what `judge_settings` gave. The client's files are judged again, links resolved.

    Raises:
        Failure: for a missing environment variable, an unreadable file, and a file elsewhere.
    """
    found = {}
    for name, value in settings.items():
        found[name] = resolve(value, name) if name in SECRETS else value
        if places is not None and name.endswith(_FILE_SETTING):
            try:
                check_readable(Path(str(value)), places)
            except ValueError as error:
                raise Failure(f"the setting '{name}': {error}") from None
            found[name] = str(Path(str(value)).resolve())
    return found


def resolve(value: Any, name: str) -> Any:
    """The value of an `env:` or `file:` reference. Any other value is returned unchanged.

    Args:
        value: value of a setting.
        name: name of the setting, for the error.

    Raises:
        Failure: for a missing environment variable or an unreadable file.
    """
    if not isinstance(value, str):
        return value
    kind, _, rest = value.partition(":")
    if kind == "env":
        found = os.environ.get(rest)
        if found is None:
            raise Failure(
                f"the setting '{name}' refers to the environment variable {rest}, which is not set"
            )
        return found
    if kind == "file":
        try:
            return Path(rest).read_text("utf-8").strip()
        except OSError as error:
            raise Failure(
                f"the setting '{name}' refers to the file {rest}: {error.strerror}"
            ) from None
    return value
