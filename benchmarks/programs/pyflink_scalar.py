"""The 1-minute totals in PyFlink: a Python scalar function for each reading, then a SQL window.

Run as: python pyflink_scalar.py BROKERS TOPIC PARTITIONS MESSAGES SCHEMA ANSWER; the Flink is named by FLINK_REST, its jars by
FLINK_JARS.
"""

from __future__ import annotations

import os
import sys

from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.udf import udf

READINGS = """
CREATE TABLE readings (
  sensor_id STRING NOT NULL, metric STRING NOT NULL, observed_at TIMESTAMP(3) NOT NULL, `value` DOUBLE NOT NULL,
  WATERMARK FOR observed_at AS observed_at - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{brokers}',
  'properties.group.id' = 'pyflink', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
  'format' = 'avro'
)"""
MINUTES = """
CREATE TABLE minutes (
  window_start TIMESTAMP(3), sensor_id STRING, metric STRING, readings BIGINT, total DOUBLE, least DOUBLE, most DOUBLE
) WITH ({sink})"""
TOTALS = """
INSERT INTO minutes
SELECT window_start, sensor_id, metric, COUNT(checked), SUM(checked), MIN(checked), MAX(checked)
FROM TABLE(TUMBLE(TABLE checked_readings, DESCRIPTOR(observed_at), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, sensor_id, metric"""


@udf(result_type=DataTypes.DOUBLE())
def checked(value: float) -> float | None:
    """A value within a range."""
    return value if -100.0 <= value <= 1000.0 else None


def environment() -> TableEnvironment:
    """The settings of the Flink that the environment names."""
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    host, port = os.environ["FLINK_REST"].split(":")
    for name, value in {
        "execution.target": "remote", "rest.address": host, "rest.port": port, "pipeline.jars": os.environ["FLINK_JARS"],
        "parallelism.default": "1", "pipeline.object-reuse": "true", "execution.checkpointing.interval": "1 s",
        "table.local-time-zone": "UTC", "python.executable": sys.executable, "python.client.executable": sys.executable,
    }.items():  # fmt: skip
        tables.get_config().set(name, value)
    return tables


def main(brokers: str, topic: str, answer: str) -> None:
    """Submit it; the answer goes to a folder of CSV files where `answer` names one."""
    tables = environment()
    sink = (
        f"'connector' = 'filesystem', 'path' = 'file://{answer}', 'format' = 'csv'"
        if answer
        else "'connector' = 'blackhole'"
    )
    tables.create_temporary_system_function("checked", checked)
    tables.execute_sql(READINGS.format(brokers=brokers, topic=topic))
    tables.execute_sql(
        "CREATE VIEW checked_readings AS SELECT *, checked(`value`) AS checked FROM readings"
    )
    tables.execute_sql(MINUTES.format(sink=sink))
    tables.execute_sql(TOTALS)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[6])
