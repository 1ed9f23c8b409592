"""Each trick of a stranger's job, through five verbs: none gets anything, and each is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import verdict
from tests.hostile.table import Trick, content, tricks
from tests.hostile.watch import TouchedFiles
from tests.hostile.world import ENVIRONMENT, Listeners, World, closed_port, listeners
from tests.hostile.zygote import VERBS, Zygote, zygote

GIBIBYTE = 1 << 20  # in kB, the unit of `ru_maxrss`
TRICKS = tricks()


@pytest.fixture(scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="session")
def parent(temporary: Path) -> Iterator[Zygote]:
    with zygote({**ENVIRONMENT, "TMPDIR": str(temporary)}) as found:
        yield found


@pytest.fixture(scope="session")
def traps() -> Iterator[Listeners]:
    with listeners() as found:
        yield found


ONLY_BEAM = "which only Beam can run"
"""Part of the sentence with which the embedded engine refuses a transform of Beam."""


class Laboratory:
    """Runs trials in one world."""

    def __init__(self, world: World, parent: Zygote, traps: Listeners) -> None:
        self.world, self.parent, self.traps = world, parent, traps
        self.closed = f"127.0.0.1:{closed_port()}"
        self.wrong: list[str] = []
        self.results: list[dict[str, Any]] = []

    def run(self, verbs: list[tuple[str, list[str]]], environment: dict[str, str]) -> None:
        """Run verbs, and note what none of them may do."""
        touched = TouchedFiles(self.world.outside)
        cluster = {
            "TOCSIN_FLINK": f"http://{self.closed}",
            "TOCSIN_JOB_SERVER": self.closed,
            "TOCSIN_BROKERS": self.closed,
        }
        answer = self.parent.ask(
            {
                "folder": str(self.world.project),
                "results": str(self.world.results),
                "environment": {**cluster, **environment},
                "verbs": verbs,
                "seconds": verdict.WALL_SECONDS * len(verbs),
            }
        )
        for number, (verb, _) in enumerate(verbs):
            self._note(number, verb)
        if answer["memory"] - self.parent.memory > GIBIBYTE:
            self.wrong.append(f"allocates {(answer['memory'] - self.parent.memory) >> 10:,} MiB")
        self.wrong += [f"touches {path}" for path in touched.take()]
        touched.close()
        self.wrong += [f"connects to {one}" for one in self.traps.take()]
        self.wrong += verdict.wrong_files(self.world)

    def _note(self, number: int, verb: str) -> None:
        results = self.world.results
        file = results / f"{number}.json"
        text = "".join(
            path.read_text("utf-8", "replace")
            for name in ("out", "err")
            if (path := results / f"{number}.{name}").exists()
        )
        wrong = verdict.wrong_text(text)
        if file.exists():
            result = json.loads(file.read_text("utf-8"))
            wrong += verdict.wrong_events(
                result["events"], self.world, [self.closed.partition(":")[2]]
            )
            wrong += verdict.wrong_effort(result)
        else:
            result = {"verb": verb, "code": "ended"}
            wrong.append("does not end by itself")
        self.results.append({**result, "text": text})
        self.wrong += [f"{verb} {one}" for one in wrong]


@pytest.fixture
def laboratory(tmp_path: Path, temporary: Path, parent: Zygote, traps: Listeners) -> Laboratory:
    return Laboratory(World(tmp_path, temporary), parent, traps)


def plant(trick: Trick, laboratory: Laboratory) -> dict[str, str]:
    """Write what a trick needs; return the text for each of its places."""
    world, traps = laboratory.world, laboratory.traps
    places = {
        "project": str(world.project),
        "outside": str(world.outside),
        "listener": f"127.0.0.1:{traps.port}",
        "port": str(traps.port),
        "network": f"{traps.network}:{traps.port}",
        "up": "../" * 20,
    }
    for name, value in trick.files.items():
        path = world.project / content(name, places).decode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(value, places))
    for name, target in trick.links.items():
        path = world.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(content(target, places).decode())
    job = world.project / trick.file
    job.parent.mkdir(parents=True, exist_ok=True)
    job.write_bytes(trick.text(places))
    return places


def wrong_answers(trick: Trick, results: list[dict[str, Any]]) -> Iterator[str]:
    """Verbs that did not answer as the row says."""
    for result in results:
        verb, code, text = result["verb"], result["code"], result["text"]
        if code not in (0, 1, 2):
            yield f"{verb} ends with {code}: {text[-1500:]}"
        if trick.refused is not None:
            if code != 2 or trick.refused not in text:
                yield f"{verb} does not refuse with '{trick.refused}' ({code}): {text[:1500]}"
            elif not verdict.PLACE.search(text):
                yield f"{verb} refuses without a place: {text[:1500]}"
        elif verb in ("check", "plan") and code != 0:
            yield f"{verb} refuses ({code}): {text[:1500]}"
        if verb == "run" and trick.fails is not None and (code == 0 or trick.fails not in text):
            yield f"run does not fail with '{trick.fails}' ({code}): {text[:1500]}"
        if verb == "run" and trick.refused is None and trick.fails is None and code != 0:
            yield f"run fails ({code}): {text[:1500]}"
    whole = "\n".join(result["text"] for result in results)
    if trick.prints is not None and trick.prints not in whole:
        yield f"no verb prints '{trick.prints}': {whole[:1500]}"


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: f"{trick.kind}: {trick.name}")
def test_a_trick_gets_nothing_and_is_answered(trick: Trick, laboratory: Laboratory) -> None:
    places = plant(trick, laboratory)
    before = laboratory.world.known()
    environment = {
        name: content(value, places).decode() for name, value in trick.environment.items()
    }
    laboratory.run([(verb, [trick.file]) for verb in VERBS], environment)
    kept = [result for result in laboratory.results if ONLY_BEAM not in result["text"]]
    if len(kept) < len(laboratory.results):
        laboratory.results = kept
        laboratory.run([("run", [trick.file, "--runner", "direct"])], environment)
    wrong = laboratory.wrong + list(wrong_answers(trick, laboratory.results))
    if trick.refused is not None:
        wrong += [f"a refused job writes {one}" for one in laboratory.world.known() - before]
    assert not wrong, f"{trick.kind}: {trick.name}\n" + "\n".join(wrong)


def test_names_of_tricks_are_unique() -> None:
    names = [(trick.kind, trick.name) for trick in TRICKS]
    assert len(set(names)) == len(names)


# What a trusted job may do and a stranger's may not: the laboratory must see each.
SEEN = {
    "outside/private.parquet": Trick(
        "a private file",
        "trusted",
        source="{type: ReadFiles, config: {files: '@outside@/private.parquet', "
        "event_time: observed_at}}",
    ),
    "connects to": Trick(
        "a broker elsewhere",
        "trusted",
        source="{type: ReadTelemetry, config: {topic: t, schema: air.avsc, "
        "event_time: observed_at, kafka: {brokers: '@listener@'}}}",
    ),
    "outside/lake": Trick(
        "a lake elsewhere",
        "trusted",
        steps=["{type: WriteToLake, config: {lake: '@outside@/lake', dataset: air}}"],
    ),
}


@pytest.mark.parametrize("event", SEEN)
def test_the_laboratory_sees_what_a_trusted_job_does(event: str, laboratory: Laboratory) -> None:
    plant(SEEN[event], laboratory)
    laboratory.run([("run", ["--trusted", "job.yaml"])], {})
    assert any(event in one for one in laboratory.wrong), (laboratory.wrong, laboratory.results)
