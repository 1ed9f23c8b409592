"""The connection to an object store that a job names, and the one that the operator's machine has.

A job names both the endpoint and references to credentials, or neither. So a job cannot have the
machine's own credentials sent to an endpoint of its choice.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Any

from tocsin.foundation.failure import Failure, Mistake
from tocsin.foundation.sandbox.addresses import host_of, url_of
from tocsin.foundation.sandbox.client_settings import STORE_SETTINGS, check_settings
from tocsin.foundation.sandbox.hosts import check_host
from tocsin.foundation.sandbox.policy import is_sandboxed
from tocsin.foundation.sandbox.references import judge_settings, resolved_settings

Settings = dict[str, Any]
_KEYS = ("access_key_id", "secret_access_key")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_LONGEST = 600
# The field's own names of these settings.
_VARIABLES = {
    "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "ssl.ca.location": ("AWS_CA_BUNDLE",),
    "allow_http": ("AWS_ALLOW_HTTP",),
}
_SECRETS = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}


def judge_store(settings: Settings, context: Any) -> tuple[str, ...] | None:
    """Check the connection to an object store that a job names.

    Args:
        settings: values by name; empty for the connection of the machine that runs the job.
        context: validation context of the job, or None.

    Returns:
        What `resolved_store` takes.

    Raises:
        ValueError: for a setting that is wrong or not allowed, an endpoint whose host the operator
            did not allow, and secrets that may not be sent there.
    """
    if not settings:
        return None
    check_settings(settings, STORE_SETTINGS, "the object store's client")
    _check_values(settings)
    missing = [name for name in _KEYS if not settings.get(name)]
    if missing:
        raise ValueError(
            f"the object store needs '{missing[0]}' too, such as env:LAKE_{missing[0].upper()}; "
            "without any setting, it is that of the variables AWS_…"
        )
    host = store_host(settings)
    if is_sandboxed(context):
        check_host(host)
    return judge_settings(settings, lambda: [host], context)


def _check_values(settings: Settings) -> None:
    region, seconds = str(settings.get("region", "")), str(settings.get("timeout", 30))
    if region and not _REGION.fullmatch(region):
        raise ValueError(f"'region' is a name such as eu-central-1, not '{region}'")
    if not (seconds.isascii() and seconds.isdigit() and 1 <= int(seconds) <= _LONGEST):
        raise ValueError(f"'timeout' is a whole number of seconds from 1 to {_LONGEST}")
    if settings.get("allow_http", False) not in (True, False):
        raise ValueError("'allow_http' is true or false")
    endpoint = str(settings.get("endpoint", ""))
    if not endpoint:
        return
    url = url_of(endpoint, ("http", "https"))
    if url.path.strip("/"):
        raise ValueError(f"the endpoint '{endpoint}' has a path; the lake's address names it")
    if url.scheme == "http" and not (settings.get("allow_http") or _is_loopback(url.host)):
        raise ValueError(
            f"the endpoint '{endpoint}' would send rows without encryption; "
            "use https://, or set allow_http: true"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def store_host(settings: Settings) -> str:
    """The host that requests go to."""
    endpoint = settings.get("endpoint")
    if endpoint:
        return url_of(str(endpoint), ("http", "https")).host
    return host_of(f"s3.{settings.get('region') or 'us-east-1'}.amazonaws.com")


def store_settings(settings: Settings) -> Settings:
    """The settings of a job, or those of this environment, in which secrets are references."""
    if settings:
        return dict(settings)
    found: Settings = {}
    for name, variables in _VARIABLES.items():
        values = [value for one in variables if (value := os.environ.get(one))]
        if values:
            found[name] = values[0]
    if "allow_http" in found:
        found["allow_http"] = found["allow_http"].lower() in ("1", "true", "yes")
    found |= {name: f"env:{one}" for name, one in _SECRETS.items() if os.environ.get(one)}
    return found


def resolved_store(settings: Settings, places: tuple[str, ...] | None) -> Settings:
    """The settings of a connection, with the values of secrets.

    Args:
        settings: of a job; empty for those of this environment.
        places: what `judge_store` gave.

    Raises:
        Failure: for a missing secret, and for a connection that lacks credentials.
    """
    found = store_settings(settings)
    if any(not found.get(name) for name in _KEYS):
        raise Mistake(
            "no credentials for the object store: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or `store` of the step"
        )
    try:
        _check_values(found)
    except ValueError as error:
        raise Failure(str(error)) from None
    return {**resolved_settings(found, places), "endpoint": found.get("endpoint", "").rstrip("/")}
