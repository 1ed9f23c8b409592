"""The environment variables that a job may have in its text, as `${NAME}`.

A job may use the variables that the operator names, and those that begin with `TOCSIN_`. The value
ends in plans, lakes and topics. So a secret is never put into a job, whoever lists its variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tocsin.foundation.sandbox.policy import (
    SECRETS_VARIABLE,
    VARIABLES_VARIABLE,
    operator_policy,
    where_to_list,
)

_SECRET = re.compile(r"(?i)passw|secret|token|credential|private|api_?key|access_?key|jaas")
_LOGIN_IN_URL = re.compile(r"://[^/\s@]*@")


class Variables:
    """The values of `${NAME}` for one job.

    Args:
        values: the variables, such as the environment.
        limited: whether only the variables that the operator allows have a value.
    """

    def __init__(self, values: Mapping[str, str], *, limited: bool) -> None:
        self._values = values
        policy = operator_policy() if limited else None
        self._allowed = None if policy is None else policy.variables
        self._secrets = frozenset() if policy is None else frozenset(policy.secrets)

    def value(self, name: str, default: str | None) -> str:
        """The value, or the default of a variable that is not set.

        Raises:
            ValueError: for a secret, a variable that is not allowed, and one without a value.
        """
        value = self._values.get(name)
        if self._is_secret(name, value):
            raise ValueError(
                f"{name} looks like a secret, which must not be put into a job; "
                f"where one is wanted, write env:{name}"
            )
        if value is not None and not self._is_allowed(name):
            raise ValueError(
                f"a job may not use the environment variable {name}; "
                + where_to_list(VARIABLES_VARIABLE, "project.variables")
            )
        if value is None and default is None:
            raise ValueError(
                f"the environment variable {name} is not set (write ${{{name}:-default}})"
            )
        return default or "" if value is None else value

    def _is_allowed(self, name: str) -> bool:
        allowed = self._allowed
        return allowed is None or name in allowed or name.startswith("TOCSIN_")

    def _is_secret(self, name: str, value: str | None) -> bool:
        """Whether the name or the value shows a secret, or the operator lists it as one."""
        has_login = name.startswith("TOCSIN_") and bool(_LOGIN_IN_URL.search(value or ""))
        is_listed = f"env:{name}" in self._secrets
        return bool(_SECRET.search(name)) or name == SECRETS_VARIABLE or is_listed or has_login
