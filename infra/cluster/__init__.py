"""A cluster on this machine without containers: Kafka, Flink with high availability, Beam's job server, a worker pool."""
