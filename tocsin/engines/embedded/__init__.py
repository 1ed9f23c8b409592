"""One process that runs a whole job: rounds of sources, steps and sinks, driven by watermarks."""
