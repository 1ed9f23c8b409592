"""A real job has all metrics that the dashboard and the alert rules use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml

from infra.cluster.settings import INFRA, Cluster, listens
from tests.support.cluster import Run, parquet_files, traffic, wait_for

JOB = Path(__file__).parent / "life.yaml"
_LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_NAME = re.compile(r"\b((?:tocsin|flink)_\w+)")


def scrape(cluster: Cluster) -> list[dict[str, str]]:
    """The label sets, including `__name__`, of all Flink processes."""
    found = []
    first = cluster.port("jobmanager_metrics")
    for port in range(first, first + 9):
        if listens("127.0.0.1", port):
            for line in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text.splitlines():
                match = _LINE.fullmatch(line)
                if match and not line.startswith("#"):
                    found.append(
                        {
                            "__name__": match[1],
                            **dict(_LABEL.findall(match[2] or "")),
                            "value": match[3],
                        }
                    )
    return found


def relabelled(series: dict[str, str], rules: list[Any]) -> dict[str, str]:
    """The labels after `metric_relabel_configs` of action replace, which match the whole source."""
    labels = dict(series)
    for rule in rules:
        assert rule.get("action", "replace") == "replace"
        source = ";".join(labels.get(name, "") for name in rule["source_labels"])
        match = re.fullmatch(rule["regex"], source)
        if match:
            labels[rule["target_label"]] = match.expand(
                re.sub(r"\$(\d)", r"\\\1", rule["replacement"])
            )
    return labels


def expressions() -> list[str]:
    """All queries of the dashboard and the rules."""
    rules = yaml.safe_load((INFRA / "prometheus" / "alerts.yml").read_text())
    found = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    panels = json.loads((INFRA / "grafana" / "tocsin.json").read_text())["panels"]
    return [*found, *(target["expr"] for panel in panels for target in panel.get("targets", []))]


def test_all_metrics_of_dashboard_and_alert_rules_exist(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    topics("metrics", "metrics.alarms", "metrics.rejects")
    config = yaml.safe_load((INFRA / "prometheus" / "prometheus.yml").read_text())
    rules = config["scrape_configs"][0]["metric_relabel_configs"]
    with traffic(cluster, "metrics") as sending:
        sending.poison = 20
        tocsin("submit", JOB, LIFE_TOPIC="metrics", LAKE=str(tmp_path / "lake"))
        wait_for("output", lambda: len(parquet_files(tmp_path / "lake")) > 3)

        def counted() -> list[dict[str, str]]:
            """All series, or none before the last step has reported an alarm.

            Reports follow the output by seconds.
            """
            found = [relabelled(one, rules) for one in scrape(cluster)]
            alarms = [
                float(one["value"]) for one in found if one["__name__"] == "tocsin_alarms_total"
            ]
            return found if sum(alarms) > 0 else []

        series = wait_for("count of alarms", counted)
    names = {one["__name__"] for one in series}
    queries = expressions()
    wanted = {name for query in queries for name in _NAME.findall(query)}
    assert len(wanted) > 8
    assert not wanted - names, sorted(wanted - names)

    def values(name: str, **labels: str) -> list[float]:
        chosen = [
            one
            for one in series
            if one["__name__"] == name and all(one.get(k) == v for k, v in labels.items())
        ]
        return [float(one["value"]) for one in chosen]

    for fate in ("read", "kept", "late", "rejected", "filtered"):
        assert values("tocsin_records_total", step="Read", fate=fate), fate
    assert sum(values("tocsin_records_total", step="Read", fate="rejected")) > 0, "decode errors"
    assert sum(values("tocsin_records_total", step="Aggregate", fate="read")) > 0
    assert sum(values("tocsin_alarms_total", step="High")) > 0
    assert sum(values("tocsin_busy_microseconds_total", step="High")) > 0, "detector time"
    assert sum(values("tocsin_batches_total", step="Read")) > 0
    assert values("tocsin_lag_records", step="Read", partition="1")
    assert max(values("tocsin_watermark_milliseconds", step="Read")) > 1.7e12
    # The series have the labels that queries group by.
    for label in ("step", "job_name"):
        assert all(one.get(label) for one in series if one["__name__"] == "tocsin_records_total"), (
            label
        )
