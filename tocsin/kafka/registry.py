"""A Confluent-compatible schema registry, from which a reader has its writers' schemas."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    PrivateAttr,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from tocsin.foundation.failure import Failure
from tocsin.foundation.sandbox import (
    REGISTRY_SETTINGS,
    check_registry,
    check_settings,
    hosts_of_urls,
    judge_settings,
    registry_numbers,
    resolved_settings,
)
from tocsin.kafka.bounded_answers import Bounds, TooMuch, bound_answers
from tocsin.kernels.avro.references import inlined
from tocsin.parts.part import Param

# Subjects name topics and records; no control character and no part of a path is in either.
Subject = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20/\\\x7f]{1,255}$")]


class Registry(BaseModel):
    """A Confluent-compatible schema registry. Only schemas of the listed subjects are used."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: str = Param(help="such as http://registry:8081")
    subjects: list[Subject] = Param(
        [], help="subjects whose schemas are used; by default '<topic>-value'"
    )
    settings: dict[str, str | int] = Param(
        {}, help="settings of the client, such as basic.auth.user.info: env:REGISTRY_LOGIN"
    )

    # Where the client of an untrusted job may read certificates.
    _places: tuple[str, ...] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _is_allowed(self, info: ValidationInfo) -> Registry:
        check_settings(self.settings, REGISTRY_SETTINGS, "the registry's client")
        registry_numbers(self.settings)
        check_registry(self.url, info.context)
        self._places = judge_settings(self.settings, lambda: hosts_of_urls(self.url), info.context)
        return self

    def schemas(self, topic: str) -> dict[str, str]:
        """All versions of the subjects' schemas, by schema key (see `avro.wire`).

        Args:
            topic: gives the default subject.

        Raises:
            Failure: if the registry refuses or does not answer.
        """
        from confluent_kafka.schema_registry import SchemaRegistryClient
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        resolved = resolved_settings(self.settings, self._places) | registry_numbers(self.settings)
        found: dict[str, str] = {}
        try:
            client = SchemaRegistryClient({"url": self.url, "timeout": 10, **resolved})
            bound_answers(client, Bounds())
            for subject in self.subjects or [f"{topic}-value"]:
                for version in client.get_versions(subject):
                    registered = client.get_version(subject, version)
                    text = inlined(registered.schema.schema_str, _referenced(client, registered))
                    found[f"id:{registered.schema_id}"] = text
                    guid = getattr(registered, "guid", None)
                    if guid:
                        found[f"guid:{guid}"] = text
        except SchemaRegistryError as error:
            raise Failure(
                f"the schema registry at {self.url} refused: {error.error_message}"
            ) from None
        except TooMuch as error:
            raise Failure(f"the schema registry at {self.url} answers too much: {error}") from None
        except Exception as error:  # noqa: BLE001 - any of the HTTP library
            raise Failure(
                f"no answer from the schema registry at {self.url}: {type(error).__name__}"
            ) from None
        return found


def _referenced(client: Any, registered: Any) -> dict[str, str]:
    """The schemas that a registered schema refers to, and those that they refer to, by name."""
    found: dict[str, str] = {}
    waiting = list(registered.schema.references or ())
    while waiting:
        reference = waiting.pop()
        if reference.name not in found:
            other = client.get_version(reference.subject, reference.version)
            found[reference.name] = other.schema.schema_str
            waiting += other.schema.references or ()
    return found
