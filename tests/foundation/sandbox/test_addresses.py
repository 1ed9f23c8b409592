"""Addresses: whatever a client would read as an address leads to a host that is allowed."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.foundation.sandbox.addresses import (
    REGISTRY_SCHEMES,
    STORE_SCHEMES,
    host_of,
    is_allowed,
    is_inside,
    url_of,
)
from tocsin.foundation.sandbox.paths import check_lake

GOOD = {
    "kafka.city.example:9092": "kafka.city.example",
    "KAFKA": "kafka",
    "my_kafka-1:1": "my_kafka-1",
    "192.0.2.1:9092": "192.0.2.1",
    "[2001:DB8::1]:9092": "2001:db8::1",
}
BAD = [
    "", ":9092", "a:0", "a:65536", "a:b", "a:1:2", "a b", "a\n", "a@b", "a/b", "a\\b", "a%2eb",
    "a..b", ".a", "a.", "-a", "127.1", "0x7f.0.0.1", "2130706433", "017700000001", "1.2.3.04",
    "[::1", "[a]", "[fe80::1%25eth0]", "[::1]x", "ⓛocalhost", "a\0", "a" * 64, "a?b", "a#b", "*",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_a_plain_address_has_a_host(text: str) -> None:
    assert host_of(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_another_notation_has_no_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no |has no port"):
        host_of(text)


@pytest.mark.parametrize(
    ("host", "patterns", "fits"),
    [
        ("a.city.example", ("*.city.example",), True),
        ("city.example", ("*.city.example",), False),
        ("a.city.example.evil", ("*.city.example",), False),
        ("axcity.example", ("a.city.example",), False),
        ("kafka", ("KAFKA",), True),
        ("kafka1", ("kafka[0-9]",), False),
        ("::1", ("[::1]",), True),
        ("::1", ("[0:0:0:0:0:0:0:1]",), True),
        ("any", (), False),
    ],
)
def test_a_pattern_has_only_stars(host: str, patterns: tuple[str, ...], fits: bool) -> None:
    assert is_allowed(host, patterns) == fits


PIECES = [
    "http://", "https://", "s3://", "gs://", "file://", "local://", "simplecache::", "dir://",
    "mock://", "github://", "memory://", "HTTP://", "good.example", "evil.example", "localhost",
    "127.0.0.1", "[::1]", "2130706433", "@", ":", "/", "//", "\\", "?", "#", "::", "..", ".", "%2f",
    "%40", "%", " ", "\t", "\n", "\0", ",", ";", "*", "9092", "user",
    "endpoint_override=evil.example",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_no_url_of_pieces_leads_elsewhere(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        found = url_of(text, REGISTRY_SCHEMES)
    except ValueError:
        return
    client = urlsplit(text)
    assert client.scheme in REGISTRY_SCHEMES
    assert (client.hostname, client.username, client.query, client.fragment) == (
        found.host,
        None,
        "",
        "",
    )


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_no_lake_of_pieces_is_in_a_store_elsewhere(pieces: list[str]) -> None:
    text = "s3://city-lake/" + "".join(pieces)
    try:
        found = url_of(text, STORE_SCHEMES)
    except ValueError:
        return
    assert is_inside(found, "s3://city-lake")
    assert not is_inside(found, "s3://city-lake/air") or found.path.startswith("/air")
    assert not {"", ".", ".."} & set(found.path[1:].rstrip("/").split("/")[:-1])


LAKES = {
    "a parameter": "s3://city-lake/x?endpoint_override=evil.example:80",
    "a user": "s3://key:word@city-lake/x",
    "another bucket": "s3://evil-lake/x",
    "this machine": "s3://localhost/x",
    "a bucket that begins alike": "s3://city-lake2/x",
    "upwards": "s3://city-lake/air/../../other",
    "an escape": "s3://city-lake/%2e%2e/other",
    "another scheme": "gs://city-lake/x",
    "a folder of fsspec": "local:///etc",
    "a cache of fsspec": "simplecache::file:///etc",
    "a chain of fsspec": "dir://::file:///etc",
    "a repository": "github://a:b@main/x",
    "memory": "memory://x",
    "a web server": "http://evil.example/x",
    "Hadoop": "hdfs://city-lake/x",
    "a host in a file": "file://evil.example/etc",
    "a file elsewhere": "file:///etc",
    "a path elsewhere": "/etc",
}


@pytest.mark.parametrize("trick", LAKES)
def test_a_lake_elsewhere_is_refused(trick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", "/srv/lake:s3://city-lake:/data")
    context = {"sandboxed": True, "folders": ["/srv/jobs"]}
    for lake in ("s3://city-lake", "s3://city-lake/air", "/srv/lake/air", "file:///data/air"):
        check_lake(lake, context)
    with pytest.raises(ValueError, match=r"job|address|allowed|file://"):
        check_lake(LAKES[trick], context)
    check_lake(LAKES[trick], None)


def test_no_store_is_allowed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_ALLOW_FOLDERS", raising=False)
    with pytest.raises(ValueError, match=r"none is allowed.*adds s3://lake to TOCSIN"):
        check_lake("s3://lake/air", {"sandboxed": True})
