"""Workers run the submitter's code, including third-party parts, or report differing versions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb

from infra.cluster.settings import ROOT, Cluster
from tests.support.cluster import Run, parquet_files, traffic, wait_for

PART = '''"""Twice the value."""

from tocsin.api.aggregation import Aggregation, Column, accumulator


class Widest(Aggregation):
    """Greatest value, doubled; null without values."""

    result = None
    most = accumulator("max")

    def finish(self, most: Column) -> Column:
        import pyarrow.compute as pc

        return pc.multiply(most, 2.0)

    examples = [({}, [2.0, None, 7.0], 14.0), ({}, [], None)]
'''
JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadTelemetry
      name: Read
      config:
        {topic: code, schema: SCHEMA, event_time: at, out_of_orderness: 1 s, idle_after: 10 min}
    - type: Aggregate
      config:
        every: 2 s
        by: [sensor]
        measures: {widest: {theirs/widest: {of: value}}, most: max(value)}
    - {type: WriteToLake, config: {lake: "${LAKE}", dataset: code, span: 2 s}}
"""


def install(folder: Path) -> None:
    """Write a package with a part as `pip install` would. Only the submitter has it."""
    parts = folder / "their_parts" / "aggregations"
    parts.mkdir(parents=True)
    (folder / "their_parts" / "__init__.py").write_text('"""Parts of a third party."""\n')
    (parts / "__init__.py").write_text('"""Aggregations."""\n')
    (parts / "widest.py").write_text(PART)
    metadata = folder / "their_parts-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-parts\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[tocsin.parts]\ntheirs = their_parts\n")


def test_a_third_party_part_runs_on_the_workers(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    topics("code")
    site = tmp_path / "site"
    install(site)
    job = tmp_path / "code.yaml"
    job.write_text(JOB.replace("SCHEMA", str(ROOT / "tests/faults/reading_v1.avsc")))
    lake = tmp_path / "lake"
    given = {
        "LAKE": str(lake),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{site}",
        "TOCSIN_ALLOW_FOLDERS": f"{ROOT}{os.pathsep}{tmp_path}",
    }
    with traffic(cluster, "code"):
        tocsin("submit", job, **given)
        wait_for("output", lambda: len(parquet_files(lake)) > 2)
    rows = duckdb.sql(
        f"select widest, most from read_parquet('{lake}/**/*.parquet', hive_partitioning=false)"
    ).fetchall()
    assert rows
    assert all(widest == 2 * most for widest, most in rows)


def test_a_differing_version_on_the_workers_is_named(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    topics("versions", "versions.alarms", "versions.rejects")
    site = tmp_path / "site" / "pyarrow-1.2.3.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: pyarrow\nVersion: 1.2.3\n")
    given = {
        "LIFE_TOPIC": "versions",
        "LAKE": str(tmp_path / "lake"),
        "PYTHONPATH": f"{site.parent}{os.pathsep}{ROOT}",
    }
    found = tocsin("submit", Path(__file__).parent / "life.yaml", check=False, **given)
    assert found.returncode == 1
    assert "cannot run this job: pyarrow 1.2.3 at the submitter" in found.stderr
    assert "install the same versions on both sides" in found.stderr
    assert "Traceback" not in found.stderr
