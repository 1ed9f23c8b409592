"""A Flink cluster: its REST interface, job status, failures and code archives. No Beam here."""
