"""Finds Beam's Prism runner, and says how to install it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

HOW_TO_GET_IT = "go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"


def find_prism() -> str | None:
    """The path of Prism's binary, or None.

    Searched in this order: $TOCSIN_PRISM, the path, the folder of Go's binaries.
    """
    home = (
        Path(
            os.environ.get("GOBIN") or Path(os.environ.get("GOPATH") or Path.home() / "go") / "bin"
        )
        / "prism"
    )
    for candidate in (os.environ.get("TOCSIN_PRISM"), shutil.which("prism"), str(home)):
        if candidate and Path(candidate).is_file():
            return candidate
    return None
