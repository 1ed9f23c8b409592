"""Formulas of the city's systems as functions of float64 columns.

NaN represents null: a NaN argument gives NaN. Each docstring names the units.
"""
