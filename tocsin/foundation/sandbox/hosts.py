"""The hosts that a job names, judged by the operator's list."""

from __future__ import annotations

from typing import Any

from tocsin.foundation.sandbox.addresses import REGISTRY_SCHEMES, host_of, is_allowed, url_of
from tocsin.foundation.sandbox.policy import HOSTS_VARIABLE, is_sandboxed, operator_policy


def allowed_hosts() -> tuple[str, ...]:
    """Patterns of the hosts that a job may name.

    These are the hosts in $TOCSIN_BROKERS and the patterns in $TOCSIN_ALLOW_HOSTS, such as
    *.city.example. This machine is not among them by itself.
    """
    return operator_policy().hosts


def check_brokers(brokers: str, context: Any) -> None:
    """Check the brokers that a job names.

    Args:
        brokers: host or host:port, several with commas.
        context: validation context of the job, or None.

    Raises:
        ValueError: for another form, or a host that the operator did not allow.
    """
    if is_sandboxed(context):
        for host in hosts_of(brokers):
            check_host(host)


def check_registry(url: str, context: Any) -> None:
    """Check the URL of a registry that a job names; several have commas between them.

    Raises:
        ValueError: for another form, or a host that the operator did not allow.
    """
    if is_sandboxed(context):
        for host in hosts_of_urls(url):
            check_host(host)


def hosts_of(brokers: str) -> list[str]:
    """The hosts of brokers. Raises ValueError for what is no host:port."""
    return [host_of(one.strip(" ")) for one in brokers.split(",")]


def hosts_of_urls(urls: str) -> list[str]:
    """The hosts of URLs of registries. Raises ValueError for what is no plain URL."""
    return [url_of(one.strip(" "), REGISTRY_SCHEMES).host for one in urls.split(",")]


def check_host(host: str) -> None:
    """Raises ValueError for a host that the operator did not allow."""
    allowed = allowed_hosts()
    if not is_allowed(host, allowed):
        shown = f"allowed: {', '.join(dict.fromkeys(allowed))}" if allowed else "none is allowed"
        raise ValueError(
            f"the host '{host}' is not allowed here ({shown}); "
            f"the operator adds it to {HOSTS_VARIABLE}, or runs the job with --trusted"
        )
