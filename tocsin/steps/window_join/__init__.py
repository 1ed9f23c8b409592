"""WindowJoin: aggregates of two inputs by window and key."""
