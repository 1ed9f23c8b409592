"""Tocsin: Kafka topics of city sensor telemetry in, a Parquet lake and alarm topics out."""

__version__ = "0.1.0"
