# Flink with Beam's runner on its class path; also the job server.
ARG FLINK_VERSION
FROM maven:3.9-eclipse-temurin-17 AS jars
ARG FLINK_LINE
ARG BEAM_RUNNER_VERSION
COPY infra/pom.xml infra/checksums.txt /build/
RUN mvn -q -B --strict-checksums -f /build/pom.xml -Prunner dependency:copy-dependencies \
    -DoutputDirectory=/tested/runner-${BEAM_RUNNER_VERSION}
# Every jar is listed and unchanged, and no jar is there that is not listed.
RUN cd /tested && grep "  runner-${BEAM_RUNNER_VERSION}/" /build/checksums.txt > listed \
    && sha256sum --quiet --check listed \
    && [ "$(find . -name '*.jar' | wc -l)" = "$(wc -l < listed)" ] && mv "runner-${BEAM_RUNNER_VERSION}" /jars
# Flink's class path is in the order of names: what stands in for Beam's own comes first.
COPY infra/runner /build/runner
RUN mkdir /fixes && javac -nowarn --add-exports=jdk.httpserver/sun.net.httpserver=ALL-UNNAMED -d /fixes -cp '/jars/*' $(find /build/runner -name '*.java') && jar cf /jars/aaa-fixes.jar -C /fixes .

FROM flink:${FLINK_VERSION}-scala_2.12-java17
COPY --from=jars /jars /opt/flink/lib/
COPY infra/cluster/JobServer.java infra/images/job-server.sh /opt/tocsin/
# Metrics for Prometheus come with Flink as a plugin.
EXPOSE 8081 8098 8099 9249
