"""The pool of Python worker processes."""
