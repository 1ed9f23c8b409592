"""docs/reports/dependencies.md: every package and jar with its licence."""

from __future__ import annotations

from collections.abc import Iterable

from infra.audit.component import Component
from infra.audit.licences import Rules, that_need
from infra.cluster.settings import ROOT

PAGE = ROOT / "docs" / "reports" / "dependencies.md"

_HEAD = """# Dependencies and their licences

`python -m infra.audit page` writes this page from the locks, from `infra/checksums.txt` and from
`infra/audit/jars.csv`. `make audit` fails if it is out of date, or if a licence is unknown or not
allowed. [Versions](../versions.md) says which versions are behind.

The licence is that of the package. A wheel or a jar can hold code of others; its own files name
their licences.
"""
_USES = """
*Used by*: `jobs` run in workers; `development` are tools of developers; `build` builds this
package; `readers` open the lake in `make test-readers`. Of jars, `kafka`, `flink` and `runner` are
the cluster; `sql` is for benchmarks, `operator` for a test of the manifests.
"""


def page(components: Iterable[Component], rules: Rules) -> str:
    """The page's text."""
    known = list(components)
    kinds = {"pypi": "Python packages", "maven": "Jars"}
    parts = [_HEAD, _USES, "\n## Licences that need a reason\n", _reasons(known, rules)]
    for kind, title in kinds.items():
        parts += [f"\n## {title}\n", _table([one for one in known if one.kind == kind], rules)]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _reasons(components: list[Component], rules: Rules) -> str:
    rows = ["| licence | components | why it is allowed |", "|---|---|---|"]
    for licence, reason in sorted({**rules.weak, **rules.tools}.items()):
        names = ", ".join(dict.fromkeys(one.name for one in that_need(licence, components, rules)))
        rows.append(f"| {licence} | {names} | {reason} |")
    rows += ["", "Written by hand, because the metadata name no licence or none that is exact:", ""]
    rows += ["| package | licence | where it was read |", "|---|---|---|"]
    rows += [f"| {n} | {p['licence']} | {p['source']} |" for n, p in sorted(rules.packages.items())]
    return "\n".join(rows)


def _table(components: list[Component], rules: Rules) -> str:
    rows = ["| name | version | licence | used by |", "|---|---|---|---|"]
    for one in components:
        name = f"{one.group}:{one.name}" if one.group else one.name
        rows.append(f"| {name} | {one.version} | {rules.expression(one)} | {', '.join(one.used)} |")
    return "\n".join(rows)
