"""What a part may import: one module a kind of part, without logic."""
