"""Formulas of the city's systems, as functions of columns. NaN stands for null; units are named in each docstring."""
