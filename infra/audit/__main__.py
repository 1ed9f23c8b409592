"""`python -m infra.audit check | page | sbom | jars`: what Tocsin is built of."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from infra.audit.component import Component
from infra.audit.jars import jars, write_table
from infra.audit.licences import Rules, problems
from infra.audit.packages import differences, packages
from infra.audit.page import PAGE, page
from infra.audit.sbom import bill, invalid
from infra.cluster.settings import ROOT
from tocsin import __version__


def main() -> int:
    """One verb; a problem is a sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m infra.audit", description=__doc__)
    parser.add_argument("verb", choices=("check", "page", "sbom", "jars"))
    parser.add_argument("--to", type=Path, default=ROOT / "dist" / "tocsin.cdx.json")
    parser.add_argument(
        "--repository", type=Path, default=Path.home() / ".m2" / "repository", help="Maven's"
    )
    given = parser.parse_args()
    if given.verb == "jars":
        return _report([f"Maven's repository lacks {jar}" for jar in write_table(given.repository)])
    components, rules = [*packages(), *jars()], Rules.read()
    if given.verb == "page":
        PAGE.write_text(page(components, rules), "utf-8")
        return 0
    written = bill(components, rules, __version__)
    if given.verb == "sbom":
        given.to.parent.mkdir(parents=True, exist_ok=True)
        given.to.write_text(written, "utf-8")
        print(f"{given.to}: {len(components)} components, CycloneDX")
        return _report(invalid(written))
    found = [*_pip(), *differences(), *problems(components, rules), *invalid(written)]
    found += outdated(components, rules, PAGE)
    if not found:
        print(f"{len(components)} dependencies: versions, licences and bill of materials are right")
    return _report(found)


def outdated(components: list[Component], rules: Rules, file: Path) -> list[str]:
    """A sentence if the page is not what the components give."""
    text = file.read_text("utf-8") if file.exists() else ""
    if text == page(components, rules):
        return []
    return [f"{file.name} is out of date: `python -m infra.audit page` writes it"]


def _pip() -> list[str]:
    """What `pip check` says of packages that do not fit together."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.stdout.splitlines() if ended.returncode else []


def _report(found: list[str]) -> int:
    print("".join(f"{sentence}\n" for sentence in found), end="", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
