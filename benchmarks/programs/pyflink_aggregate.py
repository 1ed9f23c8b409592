"""The 1-minute totals in PyFlink with a Python aggregate function; arguments as in pyflink_scalar.py."""

from __future__ import annotations

import sys
from typing import Any

from pyflink.common import Row
from pyflink.table import AggregateFunction, DataTypes
from pyflink.table.udf import udaf
from pyflink_scalar import MINUTES, READINGS, environment

TOTALS = """
INSERT INTO minutes
SELECT window_start, sensor_id, metric, t.readings, t.total, t.least, t.most FROM (
  SELECT TUMBLE_START(observed_at, INTERVAL '1' MINUTE) AS window_start, sensor_id, metric, totals(`value`) AS t
  FROM readings GROUP BY TUMBLE(observed_at, INTERVAL '1' MINUTE), sensor_id, metric)"""
RESULT = DataTypes.ROW(
    [
        DataTypes.FIELD("readings", DataTypes.BIGINT()),
        DataTypes.FIELD("total", DataTypes.DOUBLE()),
        DataTypes.FIELD("least", DataTypes.DOUBLE()),
        DataTypes.FIELD("most", DataTypes.DOUBLE()),
    ]
)


class Totals(AggregateFunction):
    """Count, sum, min and max."""

    def create_accumulator(self) -> list[Any]:
        """Empty."""
        return [0, 0.0, float("inf"), -float("inf")]

    def accumulate(self, accumulator: list[Any], value: float) -> None:
        """One value."""
        accumulator[0] += 1
        accumulator[1] += value
        accumulator[2] = min(accumulator[2], value)
        accumulator[3] = max(accumulator[3], value)

    def retract(self, accumulator: list[Any], value: float) -> None:
        """Windows retract nothing."""
        raise NotImplementedError

    def merge(self, accumulator: list[Any], others: Any) -> None:
        """Several as one."""
        for other in others:
            accumulator[0] += other[0]
            accumulator[1] += other[1]
            accumulator[2] = min(accumulator[2], other[2])
            accumulator[3] = max(accumulator[3], other[3])

    def get_value(self, accumulator: list[Any]) -> Row:
        """As a row."""
        return Row(*accumulator)

    def get_accumulator_type(self) -> Any:
        """As the result."""
        return RESULT

    def get_result_type(self) -> Any:
        """Four columns."""
        return RESULT


def main(brokers: str, topic: str, answer: str) -> None:
    """Submit it; the answer goes to a folder of CSV files where `answer` names one."""
    tables = environment()
    sink = (
        f"'connector' = 'filesystem', 'path' = 'file://{answer}', 'format' = 'csv'"
        if answer
        else "'connector' = 'blackhole'"
    )
    tables.create_temporary_system_function(
        "totals", udaf(Totals(), accumulator_type=RESULT, result_type=RESULT)
    )
    tables.execute_sql(READINGS.format(brokers=brokers, topic=topic))
    tables.execute_sql(MINUTES.format(sink=sink))
    tables.execute_sql(TOTALS)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[6])
