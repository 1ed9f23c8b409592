"""Files of a sink: units of output."""
