"""What a job would have done on recorded readings."""
