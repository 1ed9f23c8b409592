"""The world of a hostile job: the operator's folder, and canaries outside of it."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tests.support.packages import ROOT

IN_FILES = "canary-of-a-file-4711"
IN_ENVIRONMENT = "canary-of-the-environment-0815"
ENVIRONMENT = dict.fromkeys(
    (
        "KAFKA_PASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "DATABASE_URL", "SSH_KEY",
        "CITY_PLAIN_NAME",
    ),
    IN_ENVIRONMENT,
)  # fmt: skip
CANARIES = (IN_FILES, IN_ENVIRONMENT, "root:x:0")
DAY = 1_772_409_600_000_000  # 2026-03-02, microseconds


@dataclass
class World:
    """Folders of a trial. project: where the command runs. outside: what no job may open.

    temporary: the folder of the process for temporary files.
    """

    root: Path
    temporary: Path
    project: Path = field(init=False)
    outside: Path = field(init=False)
    results: Path = field(init=False)

    def __post_init__(self) -> None:
        self.project, self.outside = self.root / "project", self.root / "outside"
        self.results = self.root / "results"
        for folder in (self.project, self.outside / "inner", self.results):
            folder.mkdir(parents=True)
        _plant_project(self.project)
        _plant_outside(self.outside)

    def known(self) -> set[str]:
        """All paths of the project."""
        return {str(path.relative_to(self.project)) for path in self.project.rglob("*")}


def readings(sensors: list[str], values: list[float]) -> pa.Table:
    """Readings a second apart, with the columns of tests/errors/readings.parquet and a place."""
    times = [DAY + at * 1_000_000 for at in range(len(sensors))]
    return pa.table(
        {
            "sensor_id": sensors,
            "metric": ["no2"] * len(sensors),
            "observed_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "value": pa.array(values, pa.float64()),
            "latitude": pa.array([52.0] * len(sensors), pa.float64()),
            "longitude": pa.array([13.0] * len(sensors), pa.float64()),
        }
    )


def _plant_project(folder: Path) -> None:
    parquet.write_table(readings(["a", "b", "a"], [1.0, 2.0, 3.0]), folder / "readings.parquet")
    shutil.copy(ROOT / "schemas/air_reading.avsc", folder / "air.avsc")
    (folder / "sensors.csv").write_text("sensor_id,street\na,High Street\nb,Low Street\n", "utf-8")
    (folder / "districts.geojson").write_text(json.dumps(areas("Centre")), "utf-8")
    (folder / "deep" / "down").mkdir(parents=True)


def areas(name: str, x: float = 13.0) -> dict[str, Any]:
    """A GeoJSON collection of one square around 52 N."""
    corners = [[x - 1, 51], [x + 1, 51], [x + 1, 53], [x - 1, 53], [x - 1, 51]]
    shape = {"type": "Polygon", "coordinates": [corners]}
    feature = {"type": "Feature", "properties": {"name": name}, "geometry": shape}
    return {"type": "FeatureCollection", "features": [feature]}


def _plant_outside(folder: Path) -> None:
    parquet.write_table(readings([IN_FILES], [1.0]), folder / "private.parquet")
    parquet.write_table(readings([IN_FILES], [1.0]), folder / "inner" / "private.parquet")
    (folder / "private.csv").write_text(f"sensor_id,street\na,{IN_FILES}\n", "utf-8")
    (folder / "private.geojson").write_text(json.dumps(areas(IN_FILES)), "utf-8")
    schema = json.loads((ROOT / "schemas/air_reading.avsc").read_text("utf-8"))
    (folder / "private.avsc").write_text(json.dumps({**schema, "doc": IN_FILES}), "utf-8")
    (folder / "private.txt").write_text(f"{IN_FILES}\n", "utf-8")
    (folder / "private.pem").write_text(f"{IN_FILES}\n", "utf-8")


@dataclass
class Listeners:
    """Listeners that no job may reach, on loopback and on an address of the network."""

    port: int
    network: str
    came: list[str] = field(default_factory=list)

    def take(self) -> list[str]:
        """The addresses that were connected to since the last call."""
        found = list(self.came)
        del self.came[: len(found)]
        return found


@contextmanager
def listeners() -> Iterator[Listeners]:
    """Listeners on one port of 127.0.0.1 and of the machine's other address, if it has one."""
    first = socket.create_server(("127.0.0.1", 0))
    port = first.getsockname()[1]
    network = _address_of_the_network()
    sockets = [first]
    with suppress(OSError):
        sockets.append(socket.create_server((network, port)))
    found = Listeners(port, network)
    for one in sockets:
        threading.Thread(target=_listen, args=(one, found), daemon=True).start()
    yield found
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


def _address_of_the_network() -> str:
    """The address that packets to another network would leave from; none is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _listen(one: socket.socket, found: Listeners) -> None:
    name = "{}:{}".format(*one.getsockname()[:2])
    while True:
        try:
            connection, _ = one.accept()
        except OSError:
            return
        found.came.append(name)
        connection.close()


def closed_port() -> int:
    """A port of loopback where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
