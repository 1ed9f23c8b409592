"""Where a local cluster lives: folders, ports, versions."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

INFRA = Path(__file__).resolve().parents[1]
ROOT = INFRA.parent
# What this checkout compiled and checked by itself; downloads can come from elsewhere.
BUILT = ROOT / ".built"

PORTS = {
    "kafka": 9092,
    "kafka_secure": 9094,
    "kafka_proxied": 9095,
    "kafka_proxy": 9096,
    "kafka_controller": 9093,
    "zookeeper": 2181,
    "flink_rest": 8081,
    "flink_rpc": 6123,
    "flink_blob": 6124,
    "jobmanager_metrics": 9249,
    "job_server": 8099,
    "artifacts": 8098,
    "worker_pool": 8100,
}
# The package of the JDK that infra/runner extends, for options such as --add-exports.
HTTP_SERVER = "jdk.httpserver/sun.net.httpserver=ALL-UNNAMED"


@cache
def versions() -> dict[str, str]:
    """versions.env."""
    lines = (INFRA / "versions.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def runner_sources() -> list[Path]:
    """Java sources of infra/runner."""
    return sorted((INFRA / "runner").rglob("*.java"))


@dataclass(frozen=True)
class Cluster:
    """One cluster.

    folder: its data, logs and configuration. offset: added to every port, so that several clusters
    can run on one machine.
    """

    folder: Path = ROOT / ".cluster"
    # Downloads; a folder outside can serve many clones.
    tools: Path = Path(os.environ.get("TOCSIN_TOOLS", ROOT / ".tools"))
    offset: int = 0
    slots: int = 2
    heap: str = "1g"
    state_backend: str = "hashmap"
    kafka_partitions: int = 2
    # The address at which the other processes reach the JobManager and Kafka; not loopback where
    # tests cut networks.
    host: str = "127.0.0.1"
    # A listener that clients reach only through a proxy at the port `kafka_proxy`, for network
    # faults.
    proxied: bool = False
    # Users of a listener with SASL/SCRAM, TLS and access control, by name with their passwords;
    # without users there is no such listener.
    users: dict[str, str] = field(default_factory=dict)
    # More settings of Flink.
    flink: dict[str, str] = field(default_factory=dict)
    # The processes that are started, by name; none: all.
    only: tuple[str, ...] = ()
    # A folder of jars on Flink's class path in place of Beam's runner, for jobs without Beam.
    libraries: Path | None = None

    def __post_init__(self) -> None:
        highest = 65_535 - max(PORTS.values())
        if not 0 <= self.offset <= highest:
            raise ValueError(
                f"an offset of {self.offset} leaves no port for the worker pool; "
                f"it may be 0 to {highest}"
            )

    @classmethod
    def from_json(cls, text: str) -> Cluster:
        """The settings that `to_json` wrote."""
        known = json.loads(text)
        paths = {
            name: Path(known[name])
            for name in ("folder", "tools", "libraries")
            if known[name] is not None
        }
        return cls(**{**known, **paths, "only": tuple(known["only"])})

    def to_json(self) -> str:
        """All settings."""
        return json.dumps(asdict(self), default=str)

    def port(self, name: str) -> int:
        """A port by name."""
        return PORTS[name] + self.offset

    def host_of(self, name: str) -> str:
        """The address at which a port is open."""
        named = name.startswith("kafka") or name == "flink_rest"
        return self.host if named and name != "kafka_controller" else "127.0.0.1"

    def at(self, name: str) -> str:
        """host:port."""
        return f"{self.host_of(name)}:{self.port(name)}"

    @property
    def jars_kafka(self) -> Path:
        """Kafka's jars."""
        return self.tools / f"kafka-{versions()['KAFKA_VERSION']}"

    @property
    def jars_flink(self) -> Path:
        """Flink: lib, opt and plugins."""
        return self.tools / f"flink-{versions()['FLINK_VERSION']}"

    @property
    def jars_runner(self) -> Path:
        """Beam's Flink runner."""
        return self.tools / f"runner-{versions()['BEAM_RUNNER_VERSION']}"

    @property
    def jar_fixes(self) -> Path:
        """The classes before Beam's runner on the class path: infra/runner, compiled."""
        digest = hashlib.sha256(
            b"".join(source.read_bytes() for source in runner_sources())
        ).hexdigest()[:12]
        return BUILT / f"runner-{versions()['BEAM_RUNNER_VERSION']}-fixes-{digest}.jar"

    @property
    def jars_operator(self) -> Path:
        """The schemas of Flink's Kubernetes operator."""
        return self.tools / f"operator-{versions()['FLINK_OPERATOR_VERSION']}"

    @property
    def jars_sql(self) -> Path:
        """Kafka and Avro for Flink SQL."""
        return self.tools / f"sql-{versions()['FLINK_VERSION']}-{versions()['FLINK_KAFKA_VERSION']}"

    @property
    def certificate(self) -> Path:
        """The secure listener's certificate, which clients trust."""
        return self.folder / "conf" / "kafka.pem"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.folder / "logs"

    @property
    def temporary(self) -> Path:
        """The temporary files of all processes; emptied with each start."""
        return self.folder / "tmp"

    def environment(self) -> dict[str, str]:
        """The environment variables with which the command reaches this cluster."""
        return {
            "TOCSIN_BROKERS": self.at("kafka"),
            "TOCSIN_FLINK": f"http://{self.at('flink_rest')}",
            "TOCSIN_JOB_SERVER": self.at("job_server"),
            "TOCSIN_WORKER_POOL": self.at("worker_pool"),
        }


def listens(host: str, port: int, timeout: float = 0.5) -> bool:
    """Whether a process listens on a port."""
    try:
        with socket.create_connection((host, port), timeout):
            return True
    except OSError:
        return False
