"""From what a source read to rows with system columns: the same rules for every engine."""
