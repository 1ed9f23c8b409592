"""Avro messages to record batches: wire formats, a fast and a plain decoder, writer-to-reader resolution."""
