"""The jars: Kafka and Beam's runner from Maven, Flink from its Python source distribution.

Nothing is downloaded twice. Every jar is checked against infra/checksums.txt when it is downloaded
and when a cluster starts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from infra.cluster.checksums import problems, problems_of_installed, write
from infra.cluster.settings import HTTP_SERVER, INFRA, Cluster, runner_sources, versions


class Missing(Exception):
    """The cluster lacks something; the text says what to do."""


def fetch(cluster: Cluster) -> None:
    """Download everything that is missing. Raises Missing."""
    if shutil.which("java") is None:
        raise Missing(
            "no java on the PATH; Flink and Kafka need a JDK of Java 17 "
            "(Debian: openjdk-17-jdk-headless)"
        )
    modules = subprocess.run(
        ["java", "--list-modules"], capture_output=True, text=True, check=False
    ).stdout
    if "jdk.compiler@17" not in modules:
        raise Missing("the java on the PATH is no JDK of Java 17 (Debian: openjdk-17-jdk-headless)")
    cluster.tools.mkdir(parents=True, exist_ok=True)
    for profile, folder in (("kafka", cluster.jars_kafka), ("runner", cluster.jars_runner)):
        if not folder.exists():
            _maven(profile, folder)
    if not cluster.jars_flink.exists():
        _flink(cluster.jars_flink)
    for folder in (cluster.jars_kafka, cluster.jars_runner, cluster.jars_flink):
        _installed(folder)
    if not cluster.jar_fixes.exists():
        _compile(cluster)


def fetch_operator(cluster: Cluster) -> Path:
    """The jar with the schemas of the operator's resources. Raises Missing."""
    cluster.tools.mkdir(parents=True, exist_ok=True)
    if not cluster.jars_operator.exists():
        _maven("operator", cluster.jars_operator)
    _installed(cluster.jars_operator)
    return next(cluster.jars_operator.glob("*.jar"))


def fetch_sql(cluster: Cluster) -> Path:
    """The folder of the jars that Flink SQL needs to read Avro from Kafka. Raises Missing."""
    cluster.tools.mkdir(parents=True, exist_ok=True)
    if not cluster.jars_sql.exists():
        _maven("sql", cluster.jars_sql)
    _installed(cluster.jars_sql)
    return cluster.jars_sql


def record(cluster: Cluster) -> int:
    """Write infra/checksums.txt for all jars, and download those that are missing unchecked.

    For a new version: the list is reviewed as the code is. Returns the number of jars. Raises
    Missing.
    """
    cluster.tools.mkdir(parents=True, exist_ok=True)
    maven = {
        "kafka": cluster.jars_kafka,
        "runner": cluster.jars_runner,
        "sql": cluster.jars_sql,
        "operator": cluster.jars_operator,
    }
    for profile, folder in maven.items():
        if not folder.exists():
            _maven(profile, folder, check=False)
    if not cluster.jars_flink.exists():
        _flink(cluster.jars_flink, check=False)
    return write([*maven.values(), cluster.jars_flink])


def _installed(folder: Path) -> None:
    """Raises Missing if a folder of the downloads has a jar that was not tested."""
    if found := problems_of_installed(folder):
        raise Missing(_refusal(found, f"remove {folder} to download it again"))


def _finished(unfinished: Path, folder: Path, check: bool) -> None:
    """Accept a download. Raises Missing if it has a jar that was not tested."""
    if check and (found := problems(unfinished, folder.name)):
        raise Missing(
            _refusal(
                found,
                f"the download is left in {unfinished}; for a new version in versions.env, "
                "write the list with `python -m infra.cluster checksums` and review it",
            )
        )
    unfinished.rename(folder)


def _refusal(found: list[str], way_out: str) -> str:
    more = [f"and {len(found) - 5} more"] if len(found) > 5 else []
    return "\n  ".join(["these jars are not used:", *found[:5], *more, way_out])


def _maven(profile: str, folder: Path, check: bool = True) -> None:
    if shutil.which("mvn") is None:
        raise Missing("no mvn on the PATH; the jars come from Maven (Debian: maven)")
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [
        "mvn", "-q", "-B", "--strict-checksums", "-f", str(INFRA / "pom.xml"), f"-P{profile}",
        "dependency:copy-dependencies", f"-DoutputDirectory={unfinished}",
    ]  # fmt: skip
    found = subprocess.run(
        command, env={**os.environ, **versions()}, capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise Missing(f"Maven could not fetch the jars of {folder.name}:\n{found.stdout[-2000:]}")
    _finished(unfinished, folder, check)


def _compile(cluster: Cluster) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "javac",
            "-nowarn",
            f"--add-exports={HTTP_SERVER}",
            "-d",
            folder,
            "-cp",
            f"{cluster.jars_runner}/*",
            *map(str, runner_sources()),
        ]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode:
            raise Missing(
                f"infra/runner does not compile against Beam's runner:\n{found.stderr[-2000:]}"
            )
        cluster.jar_fixes.parent.mkdir(parents=True, exist_ok=True)
        unfinished = cluster.jar_fixes.with_suffix(".part")
        with zipfile.ZipFile(unfinished, "w") as jar:
            for file in sorted(Path(folder).rglob("*.class")):
                jar.write(file, file.relative_to(folder).as_posix())
    unfinished.rename(cluster.jar_fixes)


def _flink(folder: Path, check: bool = True) -> None:
    version, digest = versions()["FLINK_VERSION"], versions()["FLINK_SHA256"]
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write(f"apache-flink-libraries=={version} --hash=sha256:{digest}\n")
        wanted.flush()
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-compile",
        ]
        command += ["--require-hashes", "--target", str(unfinished), "-r", wanted.name]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise Missing(
            f"Flink {version} could not be fetched from the Python package index:\n"
            f"{found.stderr[-2000:]}"
        )
    _finished(unfinished / "pyflink", folder, check)
    shutil.rmtree(unfinished)
