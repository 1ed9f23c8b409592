"""Bytes, values, names and tests of a job file that no step can use are refused with a place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.compiler.checker import check_file, check_text
from tocsin.compiler.diagnostics import JobError, Problem
from tocsin.compiler.job_text import text_of
from tocsin.compiler.yaml_document import read_document
from tocsin.compiler.yaml_limits import MOST_BYTES, unusable


@given(st.binary(max_size=40))
def test_any_bytes_are_a_text_or_a_place(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    job = tmp_path_factory.mktemp("jobs") / "job.yaml"
    job.write_bytes(raw)
    try:
        wanted = raw.decode("utf-8")
    except UnicodeDecodeError:
        with pytest.raises(JobError, match="UTF-8"):
            text_of(str(job))
    else:
        assert text_of(str(job)) == wanted.replace("\r\n", "\n").replace("\r", "\n")


@given(st.text(st.characters(codec=None), max_size=30), st.sampled_from(["", "'", '"']))
def test_any_scalar_is_read_or_refused(value: str, quote: str) -> None:
    document = read_document("job.yaml", f"a: {quote}{value}{quote}\n", {})
    if not document.problems and isinstance(document.data, dict):
        assert all(unusable(one) is None for one in document.data.values())


def test_the_place_of_a_byte_is_its_line_and_column(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_bytes("pipeline: {}\n# zürich \xff".encode()[:-2] + b"\xff")
    with pytest.raises(JobError, match=r"job\.yaml:2:10: .* the byte 0xFF"):
        check_file(str(job))


def test_no_more_is_read_than_a_job_may_have(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    with job.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(JobError, match="up to 1 MiB"):
        check_file(str(job))
    assert MOST_BYTES == 1 << 20


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('a: "\\UFFFFFFFF"', "beyond Unicode"),
        ('a: "\\0"', "U+0000"),
        ('"\\ud800": 1', "U+D800"),
        ("a: 0x" + "F" * 20_000, "beyond 64 bits"),
        ("a: 1" + ":59" * 5000, "beyond 64 bits"),
        ("a: " + "9" * 5000, "not a value"),
        ("a: !!binary /w==", "may not be binary"),
    ],
)
def test_a_value_that_no_step_can_use_is_refused(text: str, sentence: str) -> None:
    found = read_document("job.yaml", text).problems
    assert sentence in str(found[0])
    assert len(str(found[0])) < 600


def test_very_many_mistakes_are_not_all_shown() -> None:
    steps = "    - {type: Nothing}\n" * 3000
    with pytest.raises(JobError) as wrong:
        check_text("job.yaml", f"pipeline:\n  transforms:\n{steps}")
    assert len(wrong.value.problems) == 51
    assert "2,950 more mistakes" in str(wrong.value.problems[-1])
    assert len(str(Problem("job.yaml", 1, 1, "x" * 100_000))) < 1100


@pytest.mark.parametrize("files", ["", ".", "x" * 5000, "*" * 3000])
def test_a_path_that_no_disk_takes_is_refused(files: str) -> None:
    step = f"{{type: ReadFiles, config: {{files: '{files}', event_time: at}}}}"
    with pytest.raises(JobError):
        check_text("job.yaml", f"pipeline:\n  transforms:\n    - {step}\n")


def test_very_many_variables_are_refused() -> None:
    (problem,) = read_document("job.yaml", "a: '" + "${A:-" * 100_000 + "'", {}).problems
    assert "up to 100 variables" in str(problem)
