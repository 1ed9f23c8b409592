"""The bill of materials in CycloneDX: every package and every jar, with licence and SHA-256."""

from __future__ import annotations

from collections.abc import Iterable

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component as Entry
from cyclonedx.model.component import ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from infra.audit.component import Component
from infra.audit.licences import Rules

_VERSION = SchemaVersion.V1_6


def bill(components: Iterable[Component], rules: Rules, version: str) -> str:
    """The bill as JSON of CycloneDX 1.6. version: of Tocsin."""
    product = Entry(
        name="tocsin",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="tocsin",
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
    )
    entries = [_entry(one, rules) for one in components]
    made = Bom(components=entries)
    made.metadata.component = product
    made.register_dependency(product, entries)
    written: str = make_outputter(made, OutputFormat.JSON, _VERSION).output_as_string(indent=1)
    return written


def invalid(text: str) -> list[str]:
    """A sentence if a bill does not obey CycloneDX's schema."""
    wrong = JsonStrictValidator(_VERSION).validate_str(text)
    return [] if wrong is None else [f"the bill of materials is not valid: {wrong}"]


def _entry(component: Component, rules: Rules) -> Entry:
    url = PackageURL(
        component.kind, component.group or None, component.name, component.version or None
    )
    licence = rules.expression(component)
    digests = [HashType(alg=HashAlgorithm.SHA_256, content=component.digest)]
    return Entry(
        name=component.name,
        group=component.group or None,
        version=component.version or None,
        type=ComponentType.LIBRARY,
        # Two folders can hold different files of one name and version.
        bom_ref=f"{url}#{component.digest[:12]}" if component.digest else str(url),
        purl=url,
        licenses=[LicenseFactory().make_from_string(licence)] if licence else None,
        hashes=digests if component.digest else None,
        properties=[Property(name="tocsin:used-by", value=use) for use in component.used],
    )
