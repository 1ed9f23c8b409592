"""A client of Flink's REST interface: jobs, their checkpoints, savepoints and failures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

from tocsin.flink.failures import JobFailure, brief, failures_in
from tocsin.foundation.failure import Failure

# Flink's words for a job that will not run again.
ENDED = {"FINISHED", "CANCELED", "FAILED", "SUSPENDED"}


@dataclass(frozen=True)
class FlinkJob:
    """A job of the cluster. state: in Flink's words. started: milliseconds since 1970."""

    id: str
    name: str
    state: str
    started: int

    @property
    def has_ended(self) -> bool:
        """Whether it will not run again."""
        return self.state in ENDED


class FlinkRest:
    """A connection to a JobManager. url: its REST interface. timeout: seconds.

    Every method raises Failure where the cluster does not answer or refuses.
    """

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=timeout)

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON answer to a GET."""
        return self._call("GET", path, params=parameters)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise Failure(
                f"no answer from Flink at {self.url}: {error} "
                "(is the cluster up? `make cluster` starts one here)"
            ) from None
        if answer.status_code >= 400:
            raise Failure(f"Flink at {self.url} refused {path}: {_reason(answer)}")
        return answer.json() if answer.content else {}

    def jobs(self) -> list[FlinkJob]:
        """All jobs that the cluster remembers, the newest first."""
        found = self.get("/jobs/overview")["jobs"]
        jobs = [FlinkJob(job["jid"], job["name"], job["state"], job["start-time"]) for job in found]
        return sorted(jobs, key=lambda job: -job.started)

    def job(self, name: str) -> FlinkJob:
        """The newest job with this name or id; a running job precedes an ended one.

        Raises Failure with the names of all jobs where none has it.
        """
        jobs = self.jobs()
        found = [job for job in jobs if name in (job.name, job.id)]
        if not found:
            known = ", ".join(sorted({job.name for job in jobs})) or "none"
            raise Failure(f"no job '{name}' on {self.url} (jobs: {known})")
        return next((job for job in found if not job.has_ended), found[0])

    def running(self, name: str) -> FlinkJob | None:
        """The job with this name that has not ended, or None."""
        return next((job for job in self.jobs() if job.name == name and not job.has_ended), None)

    def state(self, job: str) -> str:
        """The state of a job, in Flink's words."""
        return str(self.get(f"/jobs/{job}")["state"])

    def checkpoints(self, job: str) -> dict[str, Any]:
        """Checkpoint statistics of a job."""
        found: dict[str, Any] = self.get(f"/jobs/{job}/checkpoints")
        return found

    def completed_checkpoints(self, job: str) -> int:
        """The number of completed checkpoints."""
        return int(self.checkpoints(job).get("counts", {}).get("completed", 0))

    def failures(self, job: str) -> list[JobFailure]:
        """The failures of a job, the newest first."""
        return failures_in(
            self.get(f"/jobs/{job}/exceptions").get("exceptionHistory", {}).get("entries", [])
        )

    def save(self, job: str, folder: str | None, *, stop: bool, patience: float = 120.0) -> str:
        """Take a savepoint; return its path.

        folder: where to write it; None for the cluster's default. stop: also stop the job.
        patience: seconds to wait.
        """
        wanted: dict[str, Any] = {"targetDirectory": folder} if folder else {}
        path = f"/jobs/{job}/stop" if stop else f"/jobs/{job}/savepoints"
        request = self._call(
            "POST", path, json={**wanted, **({"drain": False} if stop else {"cancel-job": False})}
        )["request-id"]
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            answer = self.get(f"/jobs/{job}/savepoints/{request}")
            if answer["status"]["id"] == "COMPLETED":
                operation = answer["operation"]
                if "location" in operation:
                    return str(operation["location"])
                cause = operation.get("failure-cause", {}).get("stack-trace", "no reason given")
                raise Failure(f"the savepoint failed: {brief(cause)}")
            time.sleep(0.2)
        raise Failure(f"no savepoint within {patience:.0f} s")

    def cancel(self, job: str) -> None:
        """Stop a job at once, without a savepoint."""
        self._call("PATCH", f"/jobs/{job}", params={"mode": "cancel"})

    def logs(self) -> list[tuple[str, str]]:
        """The id and log of each TaskManager; an explanation where it writes none."""
        found = []
        for manager in self.get("/taskmanagers")["taskmanagers"]:
            answer = self._client.get(f"/taskmanagers/{manager['id']}/log")
            found.append(
                (
                    manager["id"],
                    answer.text
                    if answer.status_code == 200
                    else "no log file (its log.file is not set)",
                )
            )
        return found

    def metrics(self, path: str, names: list[str]) -> dict[str, str]:
        """The values of metrics, by name. Names that Flink does not know are absent."""
        answer = self.get(path, get=",".join(names)) if names else []
        return {metric["id"]: metric["value"] for metric in answer}


def _reason(answer: httpx.Response) -> str:
    try:
        return brief(" ".join(str(error) for error in answer.json()["errors"]))
    except (ValueError, KeyError):
        return f"{answer.status_code} {answer.reason_phrase}"
