"""Kafka clients: connection, consumers, producers, transactions, decoding."""
