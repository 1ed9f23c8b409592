"""The public test kit: the laws that every part must obey. All random numbers are seeded."""

from tocsin.laws.catalogue import laws_of, run_laws
from tocsin.laws.kit import BrokenLaw, Law

__all__ = ["BrokenLaw", "Law", "laws_of", "run_laws"]
