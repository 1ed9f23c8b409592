"""`python -m tests.foreign.fetch`: the test files of fastavro, from the source that its lock names.

The package index is the one that pip uses. Nothing of the source is built or run.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from urllib.parse import urljoin

import httpx

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".foreign"


def index() -> str:
    """The address of pip's package index."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    if found := os.environ.get("PIP_INDEX_URL") or configured:
        return found
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)


def locked(package: str) -> tuple[str, set[str]]:
    """A package's version in the lock, and the hashes of its files."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    found = re.search(rf"^{package}==(\S+)((?: \\\n    --hash=sha256:\w+)+)", text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"requirements.lock has no {package}")
    return found[1], set(re.findall(r"sha256:(\w+)", found[2]))


def fetch(package: str) -> Path:
    """Unpack the tests of a package's source into `.foreign`; return the folder."""
    version, hashes = locked(package)
    target = FOLDER / f"{package}-{version}"
    if target.is_dir():
        return target
    page = f"{index().rstrip('/')}/{package}/"
    with httpx.Client(follow_redirects=True, timeout=60) as client:
        listed = client.get(page).raise_for_status().text
        link = re.search(rf'href="([^"#]*{package}-{re.escape(version)}\.tar\.gz)', listed)
        if link is None:
            raise SystemExit(f"the package index has no source of {package} {version}")
        content = client.get(urljoin(page, link[1])).raise_for_status().content
    if hashlib.sha256(content).hexdigest() not in hashes:
        raise SystemExit(f"the source of {package} {version} has another hash than its lock says")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        tests = [one for one in archive if "/tests/" in one.name]
        archive.extractall(FOLDER, tests, filter="data")
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{fetch('fastavro')}\n")
