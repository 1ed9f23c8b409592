"""The manifests of infra as data."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.cluster.settings import INFRA


def render(folder: Path) -> list[Any]:
    """The documents of an overlay. Skips the test where kustomize is missing."""
    tool = ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"]
    if shutil.which(tool[0]) is None:
        pytest.skip("neither kubectl nor kustomize is installed")
    found = subprocess.run([*tool, str(folder)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return [document for document in yaml.safe_load_all(found.stdout) if document]


def compose() -> Any:
    """The document of compose.yaml."""
    return yaml.safe_load((INFRA / "compose.yaml").read_text())
