"""`python -m infra.cluster up | down | health | env | fetch | checksums`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.cluster.control import down, health, state, up
from infra.cluster.download import Missing, fetch, record
from infra.cluster.processes import forget
from infra.cluster.settings import Cluster


def main() -> int:
    """One verb; a problem is a sentence and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.cluster", description="A cluster on this machine"
    )
    parser.add_argument("verb", choices=("up", "down", "health", "env", "fetch", "checksums"))
    parser.add_argument("--offset", type=int, default=0, help="added to every port")
    parser.add_argument(
        "--folder", type=Path, default=Cluster().folder, help="data, logs and configuration"
    )
    parser.add_argument("--slots", type=int, default=2, help="task slots")
    parser.add_argument("--state-backend", choices=("hashmap", "rocksdb"), default="hashmap")
    parser.add_argument("--forget", action="store_true", help="with down: remove its data")
    given = parser.parse_args()
    folder = given.folder.resolve()
    try:
        cluster = Cluster(
            folder=folder, offset=given.offset, slots=given.slots, state_backend=given.state_backend
        )
    except ValueError as error:
        parser.error(str(error))
    try:
        return _do(given.verb, cluster, given.forget)
    except Missing as problem:
        print(problem, file=sys.stderr)
        return 1


def _do(verb: str, cluster: Cluster, forgetting: bool) -> int:
    if verb == "fetch":
        fetch(cluster)
    elif verb == "checksums":
        print(f"infra/checksums.txt lists {record(cluster)} jars; review what changed in it")
    elif verb == "up":
        seconds = up(cluster)
        print(f"ready in {seconds:.1f} s")
        print(
            f"  Kafka {cluster.at('kafka')}   Flink http://{cluster.at('flink_rest')}"
            f"   logs {cluster.logs}"
        )
        print(f"  the command finds it with: source {cluster.folder}/env")
    elif verb == "down":
        print("stopped" if down(cluster) else "nothing was running")
        if forgetting:
            forget(cluster)
    elif verb == "env":
        print(
            "".join(f"export {name}={value}\n" for name, value in cluster.environment().items()),
            end="",
        )
    else:
        problems = health(cluster)
        for name, known in state(cluster)["processes"].items():
            print(f"{name:<12} pid {known['pid']:<8} starts {known['starts']}")
        print("\n".join(problems) if problems else "healthy")
        return 1 if problems else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
