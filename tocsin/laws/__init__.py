"""The public test kit: what every part must obey. Deterministic: everything random is seeded."""

from tocsin.laws.catalogue import laws_of, run_laws
from tocsin.laws.kit import BrokenLaw, Law

__all__ = ["BrokenLaw", "Law", "laws_of", "run_laws"]
