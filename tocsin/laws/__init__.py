"""The public test kit: what every part must obey. Deterministic: everything random is seeded."""

from tocsin.laws.kit import BrokenLaw, Law, laws_of, run_laws

__all__ = ["BrokenLaw", "Law", "laws_of", "run_laws"]
