"""Avro and JSON messages as record batches: wire formats, decoders and schema resolution."""
