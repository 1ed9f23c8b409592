"""Steps as a provider of Beam YAML."""

from __future__ import annotations

from pathlib import Path

import yaml

import tocsin.engines.beam
from tocsin.engines.beam import yaml_steps
from tocsin.engines.beam.yaml_adapter import factories

PROVIDERS = Path(tocsin.engines.beam.__path__[0]) / "providers.yaml"


def test_the_provider_file_for_beams_own_program_has_every_step_but_those_that_beam_owns() -> None:
    (provider,) = yaml.safe_load(PROVIDERS.read_text())
    named = provider["transforms"]
    # Under this name, Beam YAML has a transform of its own.
    assert set(named) == set(factories()) - {"Filter"}
    assert all(name == f"{yaml_steps.__name__}.{kind}" for kind, name in named.items())
    assert all(callable(getattr(yaml_steps, kind)) for kind in named)
