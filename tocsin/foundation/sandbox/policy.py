"""What the operator allows to jobs that are not trusted: from the environment and the project.

The environment names hosts, folders, secrets and variables. The project of the working folder names
secrets and variables. Files in the folder of a job count for nothing.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.foundation.failure import Mistake
from tocsin.foundation.project import PROJECT_FILE, find_project, wrong_secret
from tocsin.foundation.sandbox.addresses import host_of

HOSTS_VARIABLE = "TOCSIN_ALLOW_HOSTS"
FOLDERS_VARIABLE = "TOCSIN_ALLOW_FOLDERS"
BROKERS_VARIABLE = "TOCSIN_BROKERS"
SECRETS_VARIABLE = "TOCSIN_SECRETS"
VARIABLES_VARIABLE = "TOCSIN_VARIABLES"


@dataclass(frozen=True)
class Policy:
    """What jobs may use.

    Attributes:
        hosts: patterns of hosts that a job may name.
        folders: folders of this machine whose files a job may read and write, links resolved.
        stores: folders of object stores, such as s3://city-lake/air.
        secrets: patterns of hosts by reference.
        variables: names of environment variables.
    """

    hosts: tuple[str, ...]
    folders: tuple[str, ...]
    stores: tuple[str, ...]
    secrets: dict[str, tuple[str, ...]]
    variables: frozenset[str]


def is_sandboxed(context: Any) -> bool:
    """Whether the job of a validation's context is not trusted."""
    return bool((context or {}).get("sandboxed"))


def operator_policy() -> Policy:
    """The policy now. Raises Mistake for a variable or a project that is not well formed."""
    project = find_project()
    secrets = {} if project is None else dict(project.secrets)
    for reference, hosts in _secrets_of(os.environ.get(SECRETS_VARIABLE, "")).items():
        secrets[reference] = (*secrets.get(reference, ()), *hosts)
    folders = _folders_of(os.environ.get(FOLDERS_VARIABLE, ""))
    names = {*_listed(VARIABLES_VARIABLE), *(() if project is None else project.variables)}
    return Policy(
        hosts=(*_hosts_of_brokers(), *_listed(HOSTS_VARIABLE)),
        folders=tuple(str(Path(one).resolve()) for one in folders if "://" not in one),
        stores=tuple(one.rstrip("/") for one in folders if "://" in one),
        secrets=secrets,
        variables=frozenset(names),
    )


def _listed(variable: str) -> list[str]:
    return [one.strip() for one in os.environ.get(variable, "").split(",") if one.strip()]


def _hosts_of_brokers() -> list[str]:
    """The hosts of $TOCSIN_BROKERS, which the operator set."""
    found = []
    for broker in _listed(BROKERS_VARIABLE):
        try:
            found.append(host_of(broker.rpartition("://")[2]))
        except ValueError:
            continue
    return found


def _folders_of(text: str) -> list[str]:
    """Folders and stores between colons. The colon of `s3://` separates nothing."""
    return [one for one in re.split(re.escape(os.pathsep) + r"(?!//)", text) if one]


def _secrets_of(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in filter(None, (one.strip() for one in text.split(";"))):
        reference, _, hosts = entry.rpartition("@")
        patterns = tuple(host.strip() for host in hosts.split(",") if host.strip())
        why = wrong_secret(reference, list(patterns))
        if why:
            raise Mistake(
                f"{SECRETS_VARIABLE}: {why}; write env:NAME@HOST,HOST or file:/path@HOST, "
                "with semicolons between secrets"
            )
        found[reference] = (*found.get(reference, ()), *patterns)
    return found


def where_to_list(variable: str, table: str) -> str:
    """The end of a refusal: where the operator allows what a job asks for."""
    return (
        f"the operator adds it to {table} in {PROJECT_FILE} or to {variable}, "
        "or runs the job with --trusted"
    )
