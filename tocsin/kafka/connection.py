"""The connection to a Kafka cluster. Secrets are references that each client resolves."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationInfo, model_validator

from tocsin.foundation.sandbox import (
    BROKERS_VARIABLE,
    KAFKA_SETTINGS,
    check_brokers,
    check_settings,
    hosts_of,
    judge_settings,
    resolved_settings,
)
from tocsin.parts.part import Param

DEFAULT_BROKERS = "localhost:9092"


class RefusalListener:
    """A recorder of the last reason for which a broker refused a client.

    The client's call itself only reports a timeout.
    """

    def __init__(self) -> None:
        self.refusal: str | None = None

    def __call__(self, error: Any) -> None:
        """Record an error that means a refusal. librdkafka calls this as `error_cb`."""
        from confluent_kafka import KafkaError

        if error.code() in (
            KafkaError._AUTHENTICATION,  # noqa: SLF001 - a local error of librdkafka
            KafkaError._SSL,  # noqa: SLF001 - as above
            KafkaError.SASL_AUTHENTICATION_FAILED,
        ):
            self.refusal = str(error.str())


class Kafka(BaseModel):
    """A Kafka cluster.

    Secrets are references, `env:NAME` or `file:/path`, so that plans and logs never show them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    brokers: str | None = Param(
        None, help=f"host:port, several with commas; by default ${BROKERS_VARIABLE}"
    )
    settings: dict[str, str | int | float | bool] = Param(
        {},
        help="settings of librdkafka, such as security.protocol: SASL_SSL; "
        "secrets as env:NAME or file:/path",
    )

    _refusals: RefusalListener = PrivateAttr(default_factory=RefusalListener)
    # Where the client of an untrusted job may read certificates.
    _places: tuple[str, ...] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _is_allowed(self, info: ValidationInfo) -> Kafka:
        check_settings(self.settings, KAFKA_SETTINGS, "Kafka's client")
        if self.brokers:
            check_brokers(self.brokers, info.context)
        self._places = judge_settings(self.settings, lambda: hosts_of(self.address()), info.context)
        return self

    def __getstate__(self) -> dict[Any, Any]:
        """The state with this environment's brokers, because another process has other ones."""
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "brokers": self.address()}}

    def address(self) -> str:
        """The brokers: the job's, else those of $TOCSIN_BROKERS, else localhost."""
        return self.brokers or os.environ.get(BROKERS_VARIABLE) or DEFAULT_BROKERS

    def client_settings(self, **defaults: Any) -> dict[str, Any]:
        """The settings of a client, with secrets resolved.

        Args:
            defaults: settings that the job's settings override.

        Raises:
            Failure: for a reference to a missing environment variable or an unreadable file, and
                for a file that the job may not read.
        """
        resolved = resolved_settings(self.settings, self._places)
        return {
            **defaults,
            **resolved,
            "bootstrap.servers": self.address(),
            "error_cb": self._refusals,
        }

    def reason_of(self, error: Any, client: Any = None) -> str:
        """The reason for a client's error: the broker's refusal if there is one.

        Args:
            error: the client's error.
            client: polled first, to receive pending errors. Leave it out in a client's callback,
                which must not poll.
        """
        if client is not None:
            client.poll(0)
        return self._refusals.refusal or str(error.str())
