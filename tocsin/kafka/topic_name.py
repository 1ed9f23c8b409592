"""The name of a topic as a parameter of a part."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise ValueError(
            "the name of a topic has up to 249 letters, digits, '.', '_' and '-', such as city.air"
        )
    if name.startswith("__"):
        raise ValueError(f"the topic '{name}' is Kafka's own; no job reads or writes it")
    return name


TopicName = Annotated[str, AfterValidator(_checked)]
"""The name of a topic that Kafka accepts, and that is not Kafka's own."""
