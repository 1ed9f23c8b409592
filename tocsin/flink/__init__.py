"""A Flink cluster: its REST interface, the code that its workers run, what a savepoint holds. No Beam here."""
