"""Verbs without tests of their own: new, laws, doctor, lake, alarms, schema, workers, plan."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.tables import live_files
from tocsin.cli.verbs import VERBS, summary_of
from tocsin.compiler.checker import check_text

ROOT = Path(__file__).parents[2]


def test_the_job_of_the_readme_passes_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (job,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    checked, _ = check_text("jobs/readme.yaml", job)
    assert len(checked.steps) == 7


def test_doctor_lists_packages_and_checks_brokers(
    tocsin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOCSIN_BROKERS", raising=False)
    code, out, _ = tocsin("doctor", "--json")
    found = {row["what"]: row for row in json.loads(out)}
    assert code == 0
    assert found["apache-beam"]["good"]
    code, out, _ = tocsin("doctor", "--brokers", "127.0.0.1:1")
    assert code == 1
    assert "no answer" in out


def test_lake_and_alarms_after_the_demo(tmp_path: Path, tocsin: Any) -> None:
    code, out, told = tocsin("demo", "--sensors", 12, "--to", tmp_path / "demo")
    assert code == 0, told
    assert "every row is accounted for" in out
    lake = tmp_path / "demo" / "lake"
    code, out, _ = tocsin("lake", lake, "--json")
    assert {row["dataset"] for row in json.loads(out)} >= {"air_quality"}
    code, out, _ = tocsin("lake", lake, "select count(*) as windows from air_quality", "--json")
    assert json.loads(out)[0]["windows"] > 1000
    code, out, _ = tocsin("lake", lake, "check")
    assert (code, "good" in out) == (0, True)
    code, _, told = tocsin("lake", lake, "selekt 1")
    assert (code, "Traceback" in told) == (2, False)
    gone = live_files(lake, "air_quality")[0]
    gone.unlink()
    code, out, _ = tocsin("lake", lake, "check")
    assert (code, gone.name in out) == (1, True)


def test_demo_does_not_empty_a_folder_of_other_files(tmp_path: Path, tocsin: Any) -> None:
    (tmp_path / "precious.txt").touch()
    code, _, told = tocsin("demo", "--to", tmp_path)
    assert code == 2
    assert "is not empty and not a demo's" in told
    assert (tmp_path / "precious.txt").exists()


def test_alarms_of_a_topic_are_shown_once(kafka: Any, send: Any, tocsin: Any) -> None:
    body = {
        "dateIssued": "2026-03-02T10:00:00Z",
        "severity": "high",
        "description": "too much",
        "data": {"event": "raise", "rule": "r"},
    }
    import confluent_kafka

    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.brokers, "log_level": 0})
    for _ in range(2):
        producer.produce("alarms", json.dumps(body), headers=[("ce_id", b"one")])
    producer.flush(5)
    code, out, _ = tocsin("alarms", "alarms", "--no-follow")
    assert code == 0
    assert out.splitlines() == ["2026-03-02T10:00:00Z  raise   high      r: too much"]


def test_help_lists_every_verb_with_a_line_about_it(tocsin: Any) -> None:
    verbs = {name for names in VERBS.values() for name in names}
    files = (ROOT / "tocsin" / "cli").glob("*_verb.py")
    assert verbs == {file.stem.removesuffix("_verb") for file in files}
    for arguments in (["--help"], []):
        code, out, _ = tocsin(*arguments)
        assert code == 0
        for verb in verbs:
            assert re.search(rf"^│ {verb} +{re.escape(summary_of(verb)[:30])}", out, re.MULTILINE)


@pytest.mark.parametrize("verb", sorted(name for names in VERBS.values() for name in names))
def test_the_help_of_a_verb_explains_each_parameter(verb: str, tocsin: Any) -> None:
    code, out, _ = tocsin(verb, "--help")
    assert code == 0
    assert " ".join(summary_of(verb).split()[:5]) in out
    rows = [line.strip("│ ") for line in out.splitlines() if line.startswith("│")]
    unexplained = [row for row in rows if re.fullmatch(r"\*?\s*([A-Z]+ )?--[a-z-]+( [A-Z]+)?", row)]
    assert unexplained == []


def test_the_schema_is_printed(tocsin: Any) -> None:
    code, out, _ = tocsin("schema")
    assert code == 0
    assert json.loads(out)["title"] == "Tocsin job"


def test_a_worker_pool_refuses_a_folder_that_others_may_write_to(
    tocsin: Any, tmp_path: Path
) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    code, _, told = tocsin("workers", "--folder", open_to_all, "--port", 59_999)
    assert code == 1
    assert "others may write to" in told


def test_plan_diff_shows_what_a_change_does_to_state(tocsin: Any, tmp_path: Path) -> None:
    before = Path("jobs/air_quality.yaml")
    text = before.read_text()
    same = tmp_path / "air_quality.yaml"
    same.write_text(text.replace("threshold: 8", "threshold: 9"))
    code, told, _ = tocsin("plan", same, "--diff", before)
    assert code == 0
    assert [line for line in told.splitlines() if not line.startswith("table  ")] == [
        "an upgrade keeps all state"
    ]
    same.write_text(
        text.replace("every: 1 min", "every: 2 min")
        .replace("name: Stuck", "name: Frozen")
        .replace("Stuck.", "Frozen.")
    )
    code, told, _ = tocsin("plan", same, "--diff", before)
    assert code == 2
    assert "loses  Aggregate: window 'size' was 60 s and is 120 s" in told
    assert (
        "loses  Stuck: is gone or has another name: what its detector has learnt, "
        "and its open alarms would be lost" in told
    )
    assert "keeps  Frozen: is new and starts empty" in told
    code, told, _ = tocsin("plan", same, "--diff", before, "--json")
    assert json.loads(told)["loses_state"] is True
