"""Kafka clients: connection, consumers, producers, transactions and message decoding."""
