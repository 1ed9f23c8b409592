"""The description of a job's state survives the way through Flink's configuration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.flink.job_metadata import agent, described, flink_name
from tocsin.foundation.failure import Failure


class Flink:
    """A cluster whose job has a user agent."""

    def __init__(self, text: str | None) -> None:
        self.config = {} if text is None else {"userAgent": text}

    def get(self, path: str) -> Any:
        assert path == "/jobs/1/config"
        return {"execution-config": {"user-config": self.config}}


@given(
    state=st.dictionaries(st.text(), st.lists(st.text() | st.integers()), max_size=4),
    code=st.text("0123456789abcdef", min_size=16, max_size=16),
)
def test_version_code_and_state_survive(state: dict[str, Any], code: str) -> None:
    flink: Any = Flink(agent("0.2.0", code, state))
    assert described(flink, "1") == {"version": "0.2.0", "code": code, "state": state}


@pytest.mark.parametrize("text", [None, "", "other/1.0"])
def test_a_job_of_another_program_is_refused(text: str | None) -> None:
    flink: Any = Flink(text)
    with pytest.raises(Failure, match="the job 1 was not submitted by tocsin"):
        described(flink, "1")


def test_names_become_what_beam_permits() -> None:
    assert flink_name("Air_Quality 2") == "air-quality-2"
    assert flink_name("_x_") == "x"
