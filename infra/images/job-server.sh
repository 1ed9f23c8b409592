#!/bin/sh
# Beam's job server. $1: host:port of the JobManager's REST interface. /state is shared with the TaskManagers.
# It listens on every interface of its container, because submitters are outside: whoever reaches it runs code.
set -eu
cd /tmp
jar cf empty.jar -C /opt/tocsin JobServer.java
exec java -Xmx512m -cp empty.jar /opt/tocsin/JobServer.java /opt/flink/lib org.apache.beam.runners.flink.FlinkJobServerDriver \
  "--flink-master=$1" --job-host=0.0.0.0 --job-port=8099 --artifact-port=8098 --expansion-port=-1 --artifacts-dir=/state/artifacts
