"""The parts that come with Tocsin.

In a checkout they lie in the folder `transforms` at its top. In an installed package they lie here,
so that no package named `transforms` enters a user's environment.
"""

from pathlib import Path

_HERE = Path(__file__).parent
if not (_HERE / "read").is_dir():
    __path__.append(str(_HERE.parents[1] / "transforms"))
