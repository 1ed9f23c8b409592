"""Bad input gives one clear sentence and an exit code, and loses no acknowledged reading."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tocsin.lake.query import open_lake
from tocsin.parts.registry import find

ROOT = Path(__file__).parents[2]
SCHEMA = fastavro.schema.load_schema(str(ROOT / "schemas/air_reading.avsc"))
NOW = 1_772_445_600_000
JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadTelemetry
      config: {topic: city.air, schema: schemas/air_reading.avsc, event_time: observed_at,
               out_of_orderness: 5 s}
    - type: Aggregate
      config: {every: 1 min, by: [sensor_id], measures: {readings: count()}}
    - type: WriteToLake
      config: {lake: "${LAKE}", dataset: air}
  extra_transforms:
    - {type: WriteRejects, input: ReadTelemetry.rejects, config: {topic: city.rejects}}
"""


def message(sensor: str = "air-1", at: int = NOW, value: float | None = 1.0) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(
        stream,
        SCHEMA,
        {"sensor_id": sensor, "metric": "pm25", "observed_at": at, "value": value, "quality": 1},
    )
    return b"\x00\x00\x00\x00\x01" + stream.getvalue()


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path / "job.yaml"


def one_sentence(output: str) -> str:
    """The command's output without its progress. Checks that it is no traceback."""
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if line.startswith("tocsin: ")]
    assert len(lines) == 1, output
    return lines[0]


def test_a_wrong_broker_address_is_reported(job: Path, tocsin: Any) -> None:
    code, _, errors = tocsin("run", job, "--brokers", "127.0.0.1:1")
    assert code == 1
    assert "no answer from Kafka at 127.0.0.1:1" in one_sentence(errors)


def test_a_missing_topic_is_reported(
    job: Path, kafka: Any, tocsin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The embedded Kafka creates every requested topic, so this is the answer of a real one.
    from confluent_kafka import KafkaError, KafkaException
    from tocsin.transforms.read.read_telemetry import ReadTelemetry

    class Missing:
        def list_topics(self, *_: Any, **__: Any) -> Any:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))

        def close(self) -> None: ...

    monkeypatch.setattr(ReadTelemetry, "_consumer", lambda self: Missing())
    code, _, errors = tocsin("run", job)
    assert code == 1
    assert "the topic 'city.air' does not exist at 127.0.0.1" in one_sentence(errors)


def test_unreadable_messages_are_rejected_with_their_bytes(
    job: Path, kafka: Any, send: Any, receive: Any, tocsin: Any, tmp_path: Path
) -> None:
    good = [message(at=NOW + second * 1000) for second in range(0, 50, 10)]
    bad = {
        b"hello": "not in Confluent or single-object framing",
        b"\x00\x00\x00\x00\x63rest": "unknown schema id:99 (known: id:1)",
        message()[:-4]: "not readable with its schema",
    }
    send(
        "city.air",
        [*((value, b"air-1", NOW) for value in good), *((value, b"k", NOW) for value in bad)],
    )
    code, out, errors = tocsin("run", job)
    assert (code, "Traceback" in errors) == (0, False)
    assert "ReadTelemetry     8     5     0         3         0  yes" in out
    rejects = {
        m.value(): dict(m.headers())["__connect.errors.exception.message"].decode()
        for m in receive("city.rejects")
    }
    assert rejects.keys() == bad.keys()
    for value, reason in bad.items():
        assert reason in rejects[value]
    connection, _ = open_lake(tmp_path / "lake")
    assert connection.execute("select sum(readings) from air").fetchone() == (5,)


def test_a_record_with_a_null_key_is_read(
    job: Path, kafka: Any, send: Any, tocsin: Any, tmp_path: Path
) -> None:
    send("city.air", [(message(), None, NOW)])
    assert tocsin("run", job)[0] == 0
    assert open_lake(tmp_path / "lake")[0].execute("select sum(readings) from air").fetchone() == (
        1,
    )


def test_wrong_clocks_do_not_affect_other_readings(
    job: Path, kafka: Any, send: Any, receive: Any, tocsin: Any, tmp_path: Path
) -> None:
    far = 9_214_646_400_000  # 2262
    rows = [
        # The first eight messages of a partition agree on its clock.
        *(message(at=NOW + number) for number in range(8)),
        message(at=far),
        message(at=0),
        message(at=NOW + 30_000),
        message(at=NOW + 61_000),
    ]
    send("city.air", [(value, b"air-1", NOW + 1000, 0) for value in rows])
    code, out, _ = tocsin("run", job)
    assert code == 0
    ledger = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert ledger["ReadTelemetry"] == ["12", "11", "0", "1", "0", "yes"]
    assert ledger["Aggregate"] == ["11", "10", "1", "0", "0", "yes"]
    (reject,) = receive("city.rejects")
    assert reject.value() == message(at=far)
    assert dict(reject.headers())["__connect.errors.exception.class.name"] == b"from_the_future"
    connection, _ = open_lake(tmp_path / "lake")
    assert connection.execute("select readings from air order by window_start").fetchall() == [
        (9,),
        (1,),
    ]


def test_a_check_reports_all_six_mistakes(tocsin: Any) -> None:
    for verb in ("check", "run"):
        code, _, errors = tocsin(verb, "tests/errors/six_mistakes.yaml")
        assert code == 2
        assert (
            len(
                [
                    line
                    for line in errors.splitlines()
                    if line.startswith("tests/errors/six_mistakes.yaml:")
                ]
            )
            == 6
        )
        assert "Traceback" not in errors


def test_an_empty_topic_gives_an_empty_lake(job: Path, kafka: Any, tocsin: Any) -> None:
    kafka.create("city.air")
    code, out, errors = tocsin("run", job)
    assert (code, "Traceback" in errors) == (0, False)
    assert "ReadTelemetry     0     0     0         0         0\n" in out


def test_an_unwritable_lake_is_reported(
    job: Path, kafka: Any, tocsin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAKE", str(tmp_path / "file" / "lake"))
    code, _, errors = tocsin("run", job)
    assert code == 1
    assert "cannot write the lake" in one_sentence(errors)


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A disk of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_reported_and_loses_nothing(
    job: Path, kafka: Any, send: Any, tocsin: Any, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE", str(small_disk / "lake"))
    send(
        "city.air",
        [
            (message(f"sensor-{n * 7919 % 100_000}", NOW + n * 50), b"k", NOW + n * 50, 0)
            for n in range(20_000)
        ],
    )
    code, _, errors = tocsin("run", job)
    assert code == 1
    sentence = one_sentence(errors)
    assert "cannot write the lake" in sentence
    assert "No space left on device" in sentence
    assert not list(small_disk.rglob("*.part")), "an incomplete file remains"
    # The offsets were not acknowledged, so with free space the run writes everything.
    monkeypatch.setenv("LAKE", str(job.parent / "roomy"))
    assert tocsin("run", job)[0] == 0
    total = open_lake(job.parent / "roomy")[0].execute("select sum(readings) from air").fetchone()
    assert total == (20_000,)


@pytest.mark.parametrize("after", [0.3, 0.8, 1.0], ids="{} s".format)
def test_an_interrupted_run_loses_nothing(
    after: float, kafka: Any, send: Any, tocsin: Any, tmp_path: Path
) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(JOB.replace("${LAKE}", str(tmp_path / "lake")))
    values = [
        (message(f"sensor-{n % 5000}", NOW + n), b"k", NOW + n, n % 4) for n in range(150_000)
    ]
    send("city.air", values)
    # In the background of a shell, the tests and their child processes would ignore SIGINT.
    program = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('tocsin', run_name='__main__')"
    )
    command = [sys.executable, "-c", program, "run", str(job)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert process.stderr is not None
    assert "reading" in process.stderr.readline()
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    # A second run to the end writes every row once.
    assert tocsin("run", job)[0] == 0
    total = open_lake(tmp_path / "lake")[0].execute("select sum(readings) from air").fetchone()
    assert total == (150_000,)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["run", "no/such/job.yaml"], 2, "no file 'no/such/job.yaml'"),
        (["run", "jobs/climate.yaml", "--runner", "spark"], 2, "no runner 'spark'"),
        (["explain", "Detekt"], 2, "no part 'Detekt', did you mean 'Detect'?"),
        (["lake", "no/such/lake"], 2, "no lake at no/such/lake"),
        (["check"], 2, "name a job file"),
        (["new", "detector", "Bad-Name", "--to", "/nowhere"], 2, "is not a name in snake case"),
    ],
)
def test_a_wrong_argument_is_reported(
    arguments: list[str], code: int, sentence: str, tocsin: Any
) -> None:
    found, _, errors = tocsin(*arguments)
    assert found == code
    assert sentence in one_sentence(errors)


def test_an_unknown_verb_and_a_wrong_option_are_reported(tocsin: Any) -> None:
    for arguments in (["chekc"], ["check", "--wrong"]):
        code, out, errors = tocsin(*arguments)
        assert code == 2
        assert "Traceback" not in out + errors


def test_unreadable_lines_are_rejected_with_their_numbers(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.avsc").write_text(
        '{"type": "record", "name": "R", "fields": [{"name": "sensor", "type": "string"},'
        ' {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}'
    )
    good = [json.dumps({"sensor": f"s{at}", "at": at * 1_000_000}) for at in range(3)]
    (tmp_path / "r.jsonl").write_text(
        "\n".join(["nonsense", "more", good[0], "again", good[1], good[2], "last", "words"]) + "\n"
    )
    source = find("read", "read_files").model_validate(
        {"files": "r.jsonl", "schema": "r.avsc", "event_time": "at", "batch_rows": 2},
        context={"folders": [str(tmp_path)]},
    )
    (split,) = source.splits(False)
    assert split.stop == 8

    def read(start: int) -> tuple[list[int], list[int]]:
        pieces = [piece for piece in source.read(split, start) if piece is not None]
        return [o for p in pieces for o in p.offsets.tolist()], [
            r["offset"] for p in pieces for r in p.rejected
        ]

    assert read(0) == ([2, 4, 5], [0, 1, 3, 6, 7])
    assert read(3) == ([4, 5], [3, 6, 7])
    assert read(7) == ([], [7])
