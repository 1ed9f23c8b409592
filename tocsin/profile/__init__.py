"""Where a process's time goes: stacks seen many times a second, processor time of threads, and what they add up to."""
