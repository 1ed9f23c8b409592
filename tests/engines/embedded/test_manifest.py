"""A manifest that is damaged or made up is refused with a sentence; nothing outside is touched."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.embedded.test_assembly import job_of
from tocsin.engines.embedded.checkpoint_store import CheckpointStore
from tocsin.engines.embedded.manifest import MANIFEST, read_manifest, sealed
from tocsin.engines.embedded.running import LiveJob
from tocsin.foundation.failure import Failure, Mistake

AGGREGATE = (
    "    - {type: Aggregate, config: {by: [sensor], every: 1 h, measures: {m: mean(value)}}}\n"
)


@pytest.fixture(autouse=True)
def _allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))


def run(folder: Path) -> int:
    """Run a live job for some rounds. The number of rows that it has read."""
    job = LiveJob(job_of(folder, AGGREGATE), folder / "state", every=0.0)
    left = iter(range(5))
    with closing(job):
        return job.run(lambda: next(left, None) is None).as_dict()["ReadFiles"]["read"]


def test_any_changed_byte_is_found_or_changes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path) == 2
    path = tmp_path / "state" / MANIFEST
    content = path.read_bytes()
    known = read_manifest(path.parent)
    for at in range(len(content)):
        for mask in (1, 0x20, 0x80):
            path.write_bytes(content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :])
            with suppress(Failure):
                assert read_manifest(path.parent) == known, at
        path.write_bytes(content[:at])
        with pytest.raises(Failure):
            read_manifest(path.parent)


@pytest.mark.parametrize(
    "change",
    [
        {"number": -1},
        {"number": "1"},
        {"number": 1e300},
        {"segments": []},
        {"segments": {"../../x": 1}},
        {"segments": {"-1": 1}},
        {"pieces": [[1, 0, -1, 0]]},
        {"pieces": [["../lock", 0, 1, 0]]},
        {"pieces": [[1, 2**62, 2**62, 0]]},
        {"pieces": {}},
        {"job": None},
        {"state": []},
        {"state": {"ReadFiles": 7}},
        {"counts": {"ReadFiles": 3}},
        {"counts": {"ReadFiles": {"read": "many"}}},
        {"sources": {"ReadFiles": [{}]}},
        {"sources": {"ReadFiles": 4}},
        {"sources": []},
        {"steps": {"Aggregate": {"x": {}}}},
        {"steps": {"Aggregate": {"0": {"due": 1, "state": [99], "log": []}}}},
        {"steps": {"Aggregate": []}},
        {"discovered": {"ReadFiles": {}}},
    ],
)
def test_a_made_up_manifest_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path)
    outside = {path: path.read_bytes() for path in tmp_path.glob("*.*")}
    path = tmp_path / "state" / MANIFEST
    known = json.loads(path.read_bytes())
    path.write_bytes(sealed({**known, **change}))
    with pytest.raises(Failure):
        run(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.*")} == outside


@given(
    text=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    )
)
def test_any_json_is_refused(text: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("x")
    (folder / MANIFEST).write_text(json.dumps(text))
    with pytest.raises(Failure):
        read_manifest(folder)


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    for name in ("notes.segment", "7.segment"):
        (tmp_path / name).write_text("mine")
    store = CheckpointStore(tmp_path)
    store.write({}, [b"one"])
    store.write({}, [b"two"])
    store.close()
    assert {path.name for path in tmp_path.glob("*.segment")} == {
        "notes.segment",
        "7.segment",
        "000000000002.segment",
    }


def test_a_state_of_another_version_of_a_step_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tocsin.steps.aggregate.window_operator import WindowOperator

    run(tmp_path)
    monkeypatch.setattr(WindowOperator, "version", WindowOperator.version + 1)
    with pytest.raises(Mistake, match=r"step 'Aggregate' `version` was \d+ and is \d+"):
        run(tmp_path)
