"""A job's code as one archive, so that workers run the submitter's code and third-party parts."""

from __future__ import annotations

import compileall
import hashlib
import importlib
import io
import json
import platform
import sys
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tocsin import __version__
from tocsin.foundation.failure import Failure
from tocsin.foundation.project import CODE_MANIFEST

GROUP = "tocsin.parts"
# Packages that exchange bytes between submitter and worker, or compute results. Their versions must
# be equal on both sides.
SHARED = (
    "apache-beam",
    "pyarrow",
    "numpy",
    "numba",
    "pyruhvro",
    "fastavro",
    "confluent-kafka",
    "pydantic",
    "cloudpickle",
)


def versions() -> dict[str, str]:
    """Versions of Python and the shared packages here; 'none' for a package that is missing."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in SHARED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def pack(folder: Path) -> Path:
    """Write the archive of this environment's tocsin and third-party parts; return its path.

    Equal code gives equal bytes, and the file's name contains their digest. Raises Failure where a
    part's package cannot be packed.
    """
    files: dict[str, bytes] = {}
    for package in (
        "tocsin",
        "tocsin.transforms",
        "tocsin.project",
        *(entry.value.partition(":")[0].partition(".")[0] for entry in _third_party()),
    ):
        files.update(_files_of(package))
    for entry in _third_party():
        if entry.dist is not None:
            files.update(_metadata_of(entry.dist))
    manifest = {
        "tocsin": __version__,
        "versions": versions(),
        "packages": sorted({name.split("/")[0] for name in files}),
    }
    files[CODE_MANIFEST] = json.dumps(manifest, indent=1, sort_keys=True).encode()
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    target = folder / f"tocsin-code-{digest.hexdigest()[:16]}.zip"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            # A fixed date, so that equal code gives equal bytes.
            archive.writestr(zipfile.ZipInfo(name), files[name])
    target.write_bytes(stream.getvalue())
    return target


def _third_party() -> list[Any]:
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)


def _files_of(package: str) -> dict[str, bytes]:
    if package.startswith("tocsin."):
        # Its search path is complete only after its import.
        importlib.import_module(package)
    spec = find_spec(package)
    roots = [Path(root) for root in (spec.submodule_search_locations or [])] if spec else []
    if not roots:
        raise Failure(
            f"the package '{package}' is one file or missing; "
            "parts live in a package (a folder with __init__.py)"
        )
    # Python imports the first of two files with one name, so the first folder wins.
    return {
        f"{package.replace('.', '/')}/{file.relative_to(root).as_posix()}": file.read_bytes()
        for root in reversed(roots)
        for file in sorted(root.rglob("*"))
        if file.is_file() and not _is_left_out(file.relative_to(root))
    }


def _is_left_out(file: Path) -> bool:
    """Compiled code, and what tools keep in hidden folders."""
    return file.suffix == ".pyc" or any(
        part == "__pycache__" or part.startswith(".") for part in file.parts
    )


def _metadata_of(distribution: Distribution) -> dict[str, bytes]:
    folder = f"{distribution.name.replace('-', '_')}-{distribution.version}.dist-info"
    entries = [entry for entry in distribution.entry_points if entry.group == GROUP]
    lines = "".join(f"{entry.name} = {entry.value}\n" for entry in entries)
    about = f"Metadata-Version: 2.1\nName: {distribution.name}\nVersion: {distribution.version}\n"
    return {
        f"{folder}/METADATA": about.encode(),
        f"{folder}/entry_points.txt": f"[{GROUP}]\n{lines}".encode(),
    }


def unpack(archive: bytes, folder: Path) -> Path:
    """Unpack an archive once, and return its folder, which belongs on the module path.

    Raises Failure where this environment cannot run the code.
    """
    digest = hashlib.sha256(archive).hexdigest()[:16]
    target = folder / digest
    if not target.exists():
        unfinished = folder / f"{digest}.{id(archive)}.part"
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            packed.extractall(unfinished)
        compileall.compile_dir(unfinished, quiet=2)
        try:
            unfinished.rename(target)
        except OSError:
            # Another worker has unpacked it in the meantime.
            assert target.exists()
    check_versions(json.loads((target / CODE_MANIFEST).read_text("utf-8"))["versions"])
    return target


def check_versions(wanted: dict[str, str]) -> None:
    """Raise Failure where the submitter's versions differ from this environment's."""
    here = versions()
    different = [
        f"{name} {there} at the submitter, {here.get(name, 'none')} here"
        for name, there in wanted.items()
        if here.get(name) != there
    ]
    if different:
        raise Failure(
            f"the workers ({sys.executable}) cannot run this job: {'; '.join(different)}; "
            "install the same versions on both sides"
        )
