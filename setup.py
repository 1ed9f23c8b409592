"""Which packages a distribution holds; all other settings are in pyproject.toml."""

from setuptools import find_packages, setup

# The folder `transforms` lies at the top of the repository and is installed inside the package.
PARTS = {f"tocsin.transforms.{name}": f"transforms/{name}" for name in find_packages("transforms")}

setup(packages=[*find_packages(include=["tocsin", "tocsin.*"]), *PARTS], package_dir=PARTS)
