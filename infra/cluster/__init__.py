"""A cluster on this machine: Kafka, Flink with high availability, job server, worker pool."""
