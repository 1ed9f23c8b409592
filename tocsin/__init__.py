"""Tocsin turns city sensor telemetry in Kafka into a Parquet lake and alarm topics."""

__version__ = "0.2.0"
