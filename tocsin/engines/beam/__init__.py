"""The only importer of apache_beam: coder, source, steps with and without state, sinks, and the YAML adapter."""
