"""The pool of Python worker processes for Flink."""
