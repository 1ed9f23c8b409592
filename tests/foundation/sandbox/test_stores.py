"""The connection to an object store that an untrusted job may name."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.foundation.sandbox import judge_store, resolved_store, store_settings
from tocsin.foundation.sandbox.stores import store_host

KEYS = {"access_key_id": "env:LAKE_KEY", "secret_access_key": "env:LAKE_SECRET"}
BOXED = {"sandboxed": True, "folders": ["."]}


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = "store.city.example,s3.eu-central-1.amazonaws.com"
    monkeypatch.setenv("TOCSIN_ALLOW_HOSTS", hosts)
    monkeypatch.setenv("TOCSIN_SECRETS", f"env:LAKE_KEY@{hosts};env:LAKE_SECRET@{hosts}")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {**KEYS, "endpoint": "https://store.city.example"},
        {**KEYS, "endpoint": "https://store.city.example:9000", "timeout": 60},
        {**KEYS, "region": "eu-central-1"},
        {**KEYS, "endpoint": "http://store.city.example", "allow_http": True},
    ],
)
@pytest.mark.usefixtures("allowed")
def test_what_the_operator_allowed_passes(settings: dict[str, Any]) -> None:
    judge_store(settings, BOXED)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({**KEYS, "endpoint": "https://evil.example"}, "host 'evil.example' is not allowed"),
        ({**KEYS, "endpoint": "https://127.0.0.1"}, "host '127.0.0.1' is not allowed"),
        ({**KEYS, "endpoint": "https://169.254.169.254"}, "is not allowed"),
        ({**KEYS, "region": "us-east-1"}, "host 's3.us-east-1.amazonaws.com' is not allowed"),
        ({**KEYS, "region": "x.evil.example/"}, "'region' is a name"),
        ({**KEYS, "region": "eu-central-1@evil"}, "'region' is a name"),
        ({"endpoint": "https://store.city.example"}, "needs 'access_key_id' too"),
        ({"region": "eu-central-1", "access_key_id": "x"}, "needs 'secret_access_key' too"),
        ({**KEYS, "endpoint": "https://store.city.example@evil.example"}, "no user name"),
        ({**KEYS, "endpoint": "https://store.city.example/x"}, "has a path"),
        ({**KEYS, "endpoint": "https://store.city.example?x=1"}, "no parameters"),
        ({**KEYS, "endpoint": "ftp://a"}, "may begin with http"),
        ({**KEYS, "endpoint": "http://store.city.example"}, "without encryption"),
        ({**KEYS, "endpoint": "https://store.city.example", "timeout": 0}, "from 1 to 600"),
        ({**KEYS, "endpoint": "https://store.city.example", "timeout": 10**9}, "from 1 to 600"),
        ({**KEYS, "endpoint": "https://store.city.example", "proxy_url": "x"}, "may not set"),
        ({**KEYS, "endpoint": "https://store.city.example", "allow_http": 2}, "true or false"),
        ({**KEYS, "region": "eu-central-1", "ssl.ca.location": "/etc/shadow"}, "not in the job's"),
        (
            {**KEYS, "secret_access_key": "env:HOME", "region": "eu-central-1"},
            "may not refer to the secret env:HOME",
        ),
    ],
)
@pytest.mark.usefixtures("allowed")
def test_what_the_operator_did_not_allow_is_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        judge_store(settings, BOXED)


def test_a_secret_goes_only_to_its_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_ALLOW_HOSTS", "*.example")
    monkeypatch.setenv("TOCSIN_SECRETS", "env:LAKE_KEY@a.example;env:LAKE_SECRET@a.example")
    judge_store({**KEYS, "endpoint": "https://a.example"}, BOXED)
    with pytest.raises(ValueError, match=r"may not be sent to the host 'b\.example'"):
        judge_store({**KEYS, "endpoint": "https://b.example"}, BOXED)


def test_a_job_without_settings_has_those_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://store.city.example/")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    assert store_settings({})["secret_access_key"] == "env:AWS_SECRET_ACCESS_KEY"
    found = resolved_store({}, None)
    assert found["endpoint"] == "https://store.city.example"
    assert (found["access_key_id"], found["secret_access_key"]) == ("one", "two")


def test_a_job_with_settings_has_nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.setenv(name, "of-the-machine")
    monkeypatch.setenv("LAKE_KEY", "one")
    monkeypatch.setenv("LAKE_SECRET", "two")
    found = resolved_store({**KEYS, "endpoint": "https://a.example"}, None)
    assert "of-the-machine" not in found.values()
    assert store_host(found) == "a.example"
