"""The sandbox of untrusted jobs: the hosts, places, secrets and variables that they may use.

The operator allows them by environment variables and in the project. A part passes the context of
its validation. Without a context (a part created in Python, or a trusted job) there is no sandbox.
"""

from tocsin.foundation.sandbox.client_settings import (
    KAFKA_SETTINGS,
    REGISTRY_SETTINGS,
    check_settings,
    registry_numbers,
)
from tocsin.foundation.sandbox.globs import matching
from tocsin.foundation.sandbox.hosts import (
    check_brokers,
    check_registry,
    hosts_of,
    hosts_of_urls,
)
from tocsin.foundation.sandbox.paths import (
    JudgedPath,
    check_file,
    check_lake,
    check_lake_folder,
    check_readable,
    judged_place,
    pinned,
    readable_folders,
)
from tocsin.foundation.sandbox.policy import (
    BROKERS_VARIABLE,
    FOLDERS_VARIABLE,
    HOSTS_VARIABLE,
    SECRETS_VARIABLE,
    VARIABLES_VARIABLE,
)
from tocsin.foundation.sandbox.references import judge_settings, resolved_settings
from tocsin.foundation.sandbox.stores import judge_store, resolved_store, store_settings
from tocsin.foundation.sandbox.variables import Variables

__all__ = [
    "BROKERS_VARIABLE",
    "FOLDERS_VARIABLE",
    "HOSTS_VARIABLE",
    "KAFKA_SETTINGS",
    "REGISTRY_SETTINGS",
    "SECRETS_VARIABLE",
    "VARIABLES_VARIABLE",
    "JudgedPath",
    "Variables",
    "check_brokers",
    "check_file",
    "check_lake",
    "check_lake_folder",
    "check_readable",
    "check_registry",
    "check_settings",
    "hosts_of",
    "hosts_of_urls",
    "judge_settings",
    "judge_store",
    "judged_place",
    "matching",
    "pinned",
    "readable_folders",
    "registry_numbers",
    "resolved_settings",
    "resolved_store",
    "store_settings",
]
