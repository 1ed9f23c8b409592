#!/usr/bin/env bash
# Records a second of `tocsin run` and of per-record Beam, on one real Kafka broker, same messages, alternating, RUNS times.
set -euo pipefail
cd "$(dirname "$0")/.."
READINGS_SENSORS=${SENSORS:-2100} DURATION=${DURATION:-1 h} RUNS=${RUNS:-3} PORT=${PORT:-19092}
BIN=${BIN:-.venv/bin}
WORK=$(mktemp -d)
"$BIN/python" -m infra.cluster fetch
JARS=$("$BIN/python" -c 'from infra.cluster.settings import Cluster; print(Cluster().jars_kafka)')
cat > "$WORK/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((PORT + 1))
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$((PORT + 1))
controller.listener.names=CONTROLLER
log.dirs=$WORK/log
num.partitions=4
# The simulated readings are older than the default retention.
log.retention.ms=-1
offsets.topic.replication.factor=1
P
java -cp "$JARS/*" kafka.tools.StorageTool format -t "$(java -cp "$JARS/*" kafka.tools.StorageTool random-uuid)" -c "$WORK/server.properties" > /dev/null
java -Xmx1g -cp "$JARS/*" kafka.Kafka "$WORK/server.properties" > "$WORK/kafka.log" 2>&1 &
BROKER=$!
trap 'kill $BROKER; rm -rf "$WORK"' EXIT
export TOCSIN_BROKERS=127.0.0.1:$PORT LAKE="$WORK/lake" BENCH_TOPIC=bench
for _ in $(seq 60); do "$BIN/tocsin" doctor --json 2>/dev/null | grep -q '1 brokers' && break; sleep 0.5; done
"$BIN/tocsin" simulate --sensors "$READINGS_SENSORS" --duration "$DURATION" --topic bench
"$BIN/python" benchmarks/compare.py "$WORK" "$RUNS"
