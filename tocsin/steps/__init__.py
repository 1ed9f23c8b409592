"""Steps with keyed state: one folder a step, its configuration next to its operator."""
