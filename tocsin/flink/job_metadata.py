"""Metadata of a running job: a pipeline option that Flink shows describes its code and state."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from tocsin.flink.rest import FlinkRest
from tocsin.foundation.failure import Failure

_MARK = "tocsin/"


def flink_name(name: str) -> str:
    """A job's name on the cluster: Beam permits lower-case letters, digits and hyphens."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")


def agent(version: str, code: str, state: dict[str, Any]) -> str:
    """The user agent option: version, digest of the code, and description of the state."""
    packed = base64.urlsafe_b64encode(
        zlib.compress(json.dumps({"code": code, "state": state}, sort_keys=True).encode(), 9)
    )
    return f"{_MARK}{version}/{packed.decode()}"


def described(rest: FlinkRest, job: str) -> dict[str, Any]:
    """`version`, `code` and `state` of a job on the cluster.

    Raises Failure where tocsin did not submit the job.
    """
    config = rest.get(f"/jobs/{job}/config").get("execution-config", {}).get("user-config", {})
    text = str(config.get("userAgent", ""))
    if not text.startswith(_MARK):
        raise Failure(f"the job {job} was not submitted by tocsin")
    _, version, packed = text.split("/", 2)
    found: dict[str, Any] = json.loads(zlib.decompress(base64.urlsafe_b64decode(packed)))
    return {"version": version, **found}
