"""Thin: Beam's --setup_file wants one; all settings are in pyproject.toml."""

from setuptools import setup

setup()
