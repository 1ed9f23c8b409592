"""The jars of infra/checksums.txt, with groups and licences from infra/audit/jars.csv.

The table is made from Maven's POM files when a version changes, so that a check needs no Maven.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from infra.audit.component import Component
from infra.audit.maven import described
from infra.cluster.checksums import LIST

TABLE = Path(__file__).with_name("jars.csv")
_COLUMNS = ("sha256", "group", "name", "version", "licence")
_FILE = re.compile(r"(?P<name>.+?)(?:-(?P<version>\d[\w.]*))?\.jar")


def jars(file: Path = LIST, table: Path = TABLE) -> list[Component]:
    """All jars, each once, with the folders that have it. A jar without a row has no licence."""
    with table.open(encoding="utf-8", newline="") as lines:
        known = {row["sha256"]: row for row in csv.DictReader(lines)}
    used: dict[str, list[str]] = {}
    paths: dict[str, str] = {}
    for digest, path in _listed(file):
        used.setdefault(digest, []).append(path.partition("-")[0])
        paths[digest] = path
    return sorted(_jar(digest, paths[digest], uses, known) for digest, uses in used.items())


def _jar(digest: str, path: str, uses: list[str], known: dict[str, dict[str, str]]) -> Component:
    row = known.get(digest) or {"group": "", "name": Path(path).stem, "version": "", "licence": ""}
    return Component(
        "maven", row["name"], row["version"], row["licence"], row["group"],
        tuple(sorted(set(uses))), digest,
    )  # fmt: skip


def write_table(repository: Path, file: Path = LIST, table: Path = TABLE) -> list[str]:
    """Write the table from Maven's repository; return the jars that it does not have."""
    listed = _listed(file)
    found = described(repository, {digest for digest, _ in listed})
    found |= {digest: _of_flink(path) for digest, path in listed if path.startswith("flink-")}
    with table.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, _COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {"sha256": digest, **row}
            for digest, row in sorted(found.items(), key=lambda one: (*one[1].values(), one[0]))
        )
    return [path for digest, path in listed if digest not in found]


def _of_flink(path: str) -> dict[str, str]:
    """A jar of Flink's own distribution, whose file LICENSE holds for all of them."""
    match = _FILE.fullmatch(Path(path).name)
    assert match is not None, path
    group = "org.apache.logging.log4j" if match["name"].startswith("log4j") else "org.apache.flink"
    version = match["version"] or path.partition("/")[0].removeprefix("flink-")
    return {"group": group, "name": match["name"], "version": version, "licence": "Apache-2.0"}


def _listed(file: Path) -> list[tuple[str, str]]:
    lines = file.read_text("utf-8").splitlines()
    return [(digest, path) for digest, path in (line.split("  ", 1) for line in lines)]
