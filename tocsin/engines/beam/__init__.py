"""The only importer of apache_beam: coder, source, operators, sinks, workers and YAML adapter."""
