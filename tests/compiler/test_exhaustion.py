"""Jobs that would exhaust the machine are refused with a sentence."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.packages import ROOT, command_environment
from tocsin.compiler.checker import check_text
from tocsin.compiler.diagnostics import JobError
from tocsin.compiler.yaml_document import read_document
from tocsin.compiler.yaml_limits import MOST_BYTES
from tocsin.kernels.expressions.evaluate import TooMuchText, evaluate
from tocsin.kernels.expressions.syntax import parse

READ = "{type: ReadFiles, config: {files: tests/errors/readings.parquet, event_time: at}}"
NINES = ",".join(["9"] * 9)
DOUBLING = "\n".join(
    f"{chr(98 + at)}: &{chr(98 + at)} [{','.join([f'*{chr(97 + at)}'] * 9)}]" for at in range(9)
)


def with_step(step: str) -> str:
    return f"pipeline:\n  type: chain\n  transforms:\n    - {READ}\n    - {step}\n"


def with_expression(text: str) -> str:
    return with_step(f"{{type: Filter, config: {{keep: '{text}'}}}}")


BOMBS = {
    "an alias of itself": ("pipeline: &a [*a]", "may not refer to what contains it"),
    "a list in itself": (
        "pipeline:\n  type: chain\n  transforms: &a\n    - *a",
        "may not refer to what contains it",
    ),
    "a mapping in itself": ("pipeline: &a {b: *a}", "may not refer to what contains it"),
    "deep lists": ("pipeline: " + "[" * 900 + "]" * 900, "nested deeper than 50"),
    "deep lists without an end": ("pipeline: " + "[" * 100_000, "nested deeper than 50"),
    "deep mappings": ("pipeline: " + "{a: " * 3000 + "1" + "}" * 3000, "nested deeper than 50"),
    "deep blocks": (
        "\n".join(f"{' ' * at}a:" for at in range(400)),
        "nested deeper than 50",
    ),
    "many values": ("pipeline: [" + ",".join(["1"] * 60_000) + "]", "more than 50,000 values"),
    "a billion laughs": (f"a: &a [{NINES}]\n{DOUBLING}\npipeline: *j", "more than 50,000 values"),
    "a large file": ("# " + "x" * MOST_BYTES, "up to 1 MiB"),
    "a long sum": (with_expression("value > " + "+".join(["1"] * 3000)), "operations"),
    "a long or": (with_expression(" or ".join(["value > 1"] * 3000)), "operations"),
    "many brackets": (with_expression("(" * 3000 + "value > 1" + ")" * 3000), "nested deeper"),
    "many signs": (with_expression("value > " + "-" * 3000 + "1"), "operations"),
    "a long number": (with_expression("value > " + "9" * 400), "beyond 64 bits"),
    "a longer number": (with_expression("value > " + "9" * 50_000), "beyond 64 bits"),
    "an infinite number": (with_expression("value > 1e999"), "beyond the range"),
    "millions of windows": (
        with_step(
            "{type: Aggregate, config: {window: 365 d, every: 1 s, measures: {n: count(value)}}}"
        ),
        "each reading would be in 31,536,000 windows",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text, sentence = BOMBS[name]
    with pytest.raises(JobError) as wrong:
        check_text("job.yaml", text)
    said = [str(problem) for problem in wrong.value.problems]
    assert any(sentence in one for one in said), said
    assert all(len(one) < 1000 for one in said)


@pytest.mark.parametrize("name", ["an alias of itself", "many values", "deep lists", "a long sum"])
def test_check_refuses_a_bomb_within_a_gibibyte(name: str, tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(BOMBS[name][0], "utf-8")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))

    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "check", str(job)],
        cwd=ROOT,
        env=command_environment(ROOT),
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 2000


def test_aliases_that_end_are_read() -> None:
    document = read_document("job.yaml", "a: &a {b: 1}\nc: [*a, *a]")
    assert document.problems == []
    assert document.data == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}


def test_a_thousand_steps_are_read() -> None:
    text = "pipeline:\n  transforms:\n" + "    - {type: X, config: {a: [1, 2, 3]}}\n" * 1000
    assert read_document("job.yaml", text).problems == []


def test_text_that_doubles_ends_with_a_sentence() -> None:
    """27 steps of concat(c, c) would make 10 GB from a batch of ten texts."""
    doubled = parse("concat(c, c)")
    batch = pa.RecordBatch.from_pydict({"c": ["123456789" * (1 << 20)] * 10})
    batch = pa.RecordBatch.from_arrays([evaluate(doubled, batch)], names=["c"])
    with pytest.raises(
        TooMuchText, match=r"\[\[concat makes 360 MiB of text from a batch of 10 rows"
    ):
        evaluate(doubled, batch)
    long = parse(f"concat(c, '{'x' * 90_000}')")
    with pytest.raises(TooMuchText, match="at most 256 MiB"):
        evaluate(long, pa.RecordBatch.from_pydict({"c": ["a"] * 20_000}))
