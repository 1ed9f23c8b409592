"""Names and values of sensors reach a terminal escaped, and a query of a lake only reads it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from tests.support.table_files import put
from tocsin.cli.console import table
from tocsin.foundation.printable import one_line, printable
from tocsin.simulator.embedded_kafka import EmbeddedKafka

# It clears the screen, sets the title, returns to the start of the line, turns the direction.
HOSTILE = "a\x1b[2J\x1b]0;title\x07\r\x9b31m\u202ebc\u2066\x00\x7f"


def is_safe(text: str) -> bool:
    """Whether a terminal shows the text and obeys none of it."""
    kinds = {unicodedata.category(one) for one in text if one not in "\t\n\u200c\u200d\u00ad"}
    return not kinds & {"Cc", "Zl", "Zp", "Cs"} and not any(
        unicodedata.bidirectional(one)
        in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        for one in text
    )


@given(st.text(st.characters(codec=None)))
def test_no_control_character_is_shown(text: str) -> None:
    assert is_safe(printable(text))
    assert "\n" not in one_line(text)
    assert is_safe(table(["name"], [[text]]))


@given(st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_json_keeps_its_meaning(value: Any) -> None:
    assert json.loads(printable(json.dumps(value, ensure_ascii=False))) == value


@pytest.mark.parametrize("text", ["PM₂.₅ 12,5 µg/m³", "Łódź\n\tŠiauliai", "می‌خواهم", "東京 🏙️"])
def test_text_of_any_language_stays(text: str) -> None:
    assert printable(text) == text


def test_hostile_alarms_are_shown_escaped_and_what_is_no_alarm_is_named(
    tocsin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {
        "dateIssued": "2026-03-02T00:00:00Z",
        "severity": "high",
        "description": f"{HOSTILE}\n2026-03-02T00:00:01Z  clear",
        "data": {"event": "raise", "rule": HOSTILE},
    }
    with EmbeddedKafka() as kafka:
        monkeypatch.setenv("TOCSIN_BROKERS", kafka.brokers)
        producer = Producer({"bootstrap.servers": kafka.brokers})
        values = [json.dumps(event), "no json", '{"data": 7}', "[" * 100_000, "[1]", b"\xff", None]
        for value in values:
            producer.produce("city.alarms", value, partition=0)
        producer.flush()
        code, out, err = tocsin("alarms", "city.alarms", "--no-follow")
        assert code == 0
        assert is_safe(out)
        assert len(out.splitlines()) == 2, "one line an event"
        assert "\\u001b[2J" in out
        assert err.count("is no alarm event") == 5
        assert "city.alarms:0, offset 1 is no alarm event" in err
        code, out, _ = tocsin("alarms", "city.alarms", "--no-follow", "--json")
        assert is_safe(out)
        assert json.loads(out.splitlines()[0]) == event


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    rows = pa.table({"sensor": [HOSTILE, "=cmd()"], HOSTILE: [1.0, 2.0]})
    put(tmp_path / "lake" / "air", rows)
    (tmp_path / "secret.csv").write_text("password\nhunter2\n", "utf-8")
    return tmp_path / "lake"


def test_hostile_values_and_columns_of_a_lake_are_shown_escaped(lake: Path, tocsin: Any) -> None:
    for more in ([], ["--json"]):
        code, out, _ = tocsin("lake", lake, "select * from air_all", *more)
        assert (code, is_safe(out)) == (0, True)
        assert "\\u001b" in out


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('{folder}/secret.csv')",
        "select * from read_text('{folder}/lake/../secret.csv')",
        "select * from '/etc/passwd'",
        "select * from glob('/etc/*')",
        "from read_json('http://127.0.0.1:9/x')",
        "copy (select 1) to '{folder}/out.csv'",
        "copy (select 1) to '{folder}/lake/air/out.parquet'",
        "attach '{folder}/other.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "select 1; copy (select 1) to '{folder}/out.csv'",
        "create table t as select 1",
        "drop view air",
        "pragma database_list",
        "",
    ],
)
def test_a_query_reads_the_lake_and_nothing_else(query: str, lake: Path, tocsin: Any) -> None:
    folder = lake.parent
    before = sorted(folder.rglob("*"))
    code, out, err = tocsin("lake", lake, query.format(folder=folder))
    assert code == 2
    assert "hunter2" not in out + err
    assert "root:" not in out + err
    assert sorted(folder.rglob("*")) == before


def test_queries_that_read_are_answered(lake: Path, tocsin: Any) -> None:
    for query in (
        "select count(*) from air",
        "describe air",
        "summarize air",
        "explain select 1",
        "with one as (select 1 a) from one",
    ):
        assert tocsin("lake", lake, query)[0] == 0, query


def test_other_files_are_read_where_the_command_names_them(lake: Path, tocsin: Any) -> None:
    secret = lake.parent / "secret.csv"
    query = f"select password from read_csv('{secret}')"
    for also in (secret, lake.parent):
        code, out, _ = tocsin("lake", lake, query, "--also", also)
        assert (code, "hunter2" in out) == (0, True)
    copied = f"copy (select 1) to '{lake.parent}/out.csv'"
    assert tocsin("lake", lake, copied, "--also", lake.parent)[0] == 2
