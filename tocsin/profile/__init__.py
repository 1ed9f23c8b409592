"""A profile of a process: sampled stacks, processor time of threads, and their sums."""
