"""How to reach a Kafka cluster, with secrets as references that are resolved where they are used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationInfo, model_validator

from tocsin.foundation.failure import Failure
from tocsin.foundation.sandbox import (
    BROKERS_VARIABLE,
    KAFKA_SETTINGS,
    SECRETS,
    check_hosts,
    check_settings,
)
from tocsin.parts.part import Param

DEFAULT_BROKERS = "localhost:9092"


class RefusalListener:
    """Keeps what a client was told of a broker that does not let it in: the error of its call is only that time is over."""

    def __init__(self) -> None:
        self.refusal: str | None = None

    def __call__(self, error: Any) -> None:
        """As librdkafka's `error_cb`."""
        from confluent_kafka import KafkaError

        if error.code() in (
            KafkaError._AUTHENTICATION,
            KafkaError._SSL,
            KafkaError.SASL_AUTHENTICATION_FAILED,
        ):
            self.refusal = str(error.str())


class Kafka(BaseModel):
    """A Kafka cluster. Secrets are written as `env:NAME` or `file:/path` and never stand in plans or logs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    brokers: str | None = Param(
        None, help=f"host:port, several with commas; by default ${BROKERS_VARIABLE}"
    )
    settings: dict[str, str | int | float | bool] = Param(
        {},
        help="settings of librdkafka, such as security.protocol: SASL_SSL; secrets as env:NAME or file:/path",
    )

    _refusals: RefusalListener = PrivateAttr(default_factory=RefusalListener)

    @model_validator(mode="after")
    def _is_allowed(self, info: ValidationInfo) -> Kafka:
        check_settings(self.settings, KAFKA_SETTINGS, "Kafka's client")
        if self.brokers:
            check_hosts(self.brokers, info.context)
        return self

    def __getstate__(self) -> dict[Any, Any]:
        """With the brokers of this environment: another process has another."""
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "brokers": self.address()}}

    def address(self) -> str:
        """The brokers."""
        return self.brokers or os.environ.get(BROKERS_VARIABLE) or DEFAULT_BROKERS

    def client_settings(self, **defaults: Any) -> dict[str, Any]:
        """Settings for a client, with secrets resolved. Raises Failure for a reference that leads nowhere."""
        resolved = {
            name: resolve(value, name) if name in SECRETS else value
            for name, value in self.settings.items()
        }
        return {
            **defaults,
            **resolved,
            "bootstrap.servers": self.address(),
            "error_cb": self._refusals,
        }

    def reason_of(self, error: Any, client: Any = None) -> str:
        """The reason of an error of a client that was made with these settings: a refusal to let it in where there was one.

        client: where it has to be asked first for what it heard, which a client's own callback must not do.
        """
        if client is not None:
            client.poll(0)
        return self._refusals.refusal or str(error.str())


def resolve(value: Any, name: str) -> Any:
    """What an `env:` or `file:` reference stands for; any other value as it is."""
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
