"""The processes of a cluster: the command of each, and how to see that it is ready."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from infra.cluster.private import FILE, OTHERS, private_folder, tighten, write_private
from infra.cluster.settings import HTTP_SERVER, INFRA, Cluster

# Options of Java 17 from Flink's own configuration.
JAVA_17 = [
    *(
        f"--add-exports={name}=ALL-UNNAMED"
        for name in (
            "java.base/sun.net.util", "java.rmi/sun.rmi.registry",
            "jdk.compiler/com.sun.tools.javac.api", "jdk.compiler/com.sun.tools.javac.file",
            "jdk.compiler/com.sun.tools.javac.parser", "jdk.compiler/com.sun.tools.javac.tree",
            "jdk.compiler/com.sun.tools.javac.util", "java.security.jgss/sun.security.krb5",
        )
    ),
    *(
        f"--add-opens=java.base/{name}=ALL-UNNAMED"
        for name in (
            "java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect",
            "java.text", "java.time", "java.util", "java.util.concurrent",
            "java.util.concurrent.atomic", "java.util.concurrent.locks",
        )
    ),
]  # fmt: skip
# Flink's Prometheus reporter would listen on every interface (infra/runner).
_LOOPBACK_HTTP = [
    f"--add-exports={HTTP_SERVER}",
    "-Dcom.sun.net.httpserver.HttpServerProvider=org.tocsin.LoopbackHttp",
]

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
# The password of a key that exists only in this cluster's folder.
STORE_PASSWORD = "tocsin-local"


@dataclass(frozen=True)
class Process:
    """One process.

    ready: the port that it opens when it is up; none for the TaskManager, which registers with the
    JobManager.
    """

    name: str
    command: list[str]
    ready: str | None


def processes(cluster: Cluster) -> list[Process]:
    """The processes of a cluster, in the order in which they start."""
    pool = ["--port", str(cluster.port("worker_pool")), "--folder", f"{cluster.folder}/workers"]
    wanted = [
        _broker(cluster),
        _quorum(cluster),
        _jobmanager(cluster),
        _taskmanager(cluster),
        _jobserver(cluster),
        Process("workers", [sys.executable, "-m", "tocsin", "workers", *pool], "worker_pool"),
    ]
    return [process for process in wanted if not cluster.only or process.name in cluster.only]


_JAVA = ["java", "-XX:+ExitOnOutOfMemoryError"]
_RUNTIME = "org.apache.flink.runtime"


def _flink_java(cluster: Cluster, name: str) -> list[str]:
    """The start of the command of a Java process of Flink, with its log."""
    conf = f"{cluster.folder}/conf"
    return [
        *_JAVA,
        *JAVA_17,
        f"-Djava.io.tmpdir={cluster.temporary}",
        f"-Dlog4j.configurationFile={conf}/log4j.properties",
        f"-Dlog.file={cluster.logs}/{name}.flink.log",
    ]


def _flink_classes(cluster: Cluster) -> str:
    """Flink's class path: with Beam's runner, or with the jars of other jobs."""
    libraries = cluster.libraries or cluster.jars_runner
    return f"{cluster.jar_fixes}:{cluster.jars_flink}/lib/*:{libraries}/*"


def _broker(cluster: Cluster) -> Process:
    settings = f"{cluster.folder}/conf/kafka.properties"
    classes = f"{cluster.jars_kafka}/*"
    return Process("kafka", [*_JAVA, "-Xmx1g", "-cp", classes, "kafka.Kafka", settings], "kafka")


def _quorum(cluster: Cluster) -> Process:
    command = [*_flink_java(cluster, "zookeeper"), "-Xmx128m", "-cp", _flink_classes(cluster)]
    command += [f"{_RUNTIME}.zookeeper.FlinkZooKeeperQuorumPeer"]
    command += ["--zkConfigFile", f"{cluster.folder}/conf/zoo.cfg", "--peerId", "1"]
    return Process("zookeeper", command, "zookeeper")


def _jobmanager(cluster: Cluster) -> Process:
    command = [*_flink_java(cluster, "jobmanager"), *_LOOPBACK_HTTP, "-Xmx640m"]
    command += ["-cp", _flink_classes(cluster)]
    command += [f"{_RUNTIME}.entrypoint.StandaloneSessionClusterEntrypoint"]
    command += ["--configDir", f"{cluster.folder}/conf", "--executionMode", "cluster"]
    return Process("jobmanager", command, "flink_rest")


def _taskmanager(cluster: Cluster) -> Process:
    command = [*_flink_java(cluster, "taskmanager"), *_LOOPBACK_HTTP, f"-Xmx{cluster.heap}"]
    if cluster.libraries is None:
        # This process only moves bytes between Kafka's readers and Python: the second compiler
        # costs many times what it gains.
        command += ["-XX:TieredStopAtLevel=1"]
    command += ["-XX:+UseParallelGC", "-XX:MaxDirectMemorySize=512m", "-XX:MaxMetaspaceSize=256m"]
    command += ["-cp", _flink_classes(cluster), f"{_RUNTIME}.taskexecutor.TaskManagerRunner"]
    return Process("taskmanager", [*command, "--configDir", f"{cluster.folder}/conf"], None)


def _jobserver(cluster: Cluster) -> Process:
    conf = f"{cluster.folder}/conf"
    command = [*_flink_java(cluster, "jobserver"), "-Xmx512m", "-cp", f"{conf}/empty.jar"]
    command += [str(INFRA / "cluster" / "JobServer.java")]
    command += [f"{cluster.jar_fixes}:{cluster.jars_flink}/lib:{cluster.jars_runner}"]
    command += ["org.apache.beam.runners.flink.FlinkJobServerDriver"]
    command += [f"--flink-master={cluster.at('flink_rest')}", f"--flink-conf-dir={conf}"]
    command += ["--job-host=127.0.0.1", f"--job-port={cluster.port('job_server')}"]
    command += [f"--artifact-port={cluster.port('artifacts')}"]
    # No expansion service: jobs use Python's transforms.
    command += ["--expansion-port=-1"]
    command += [f"--artifacts-dir={cluster.folder}/artifacts"]
    return Process("jobserver", command, "job_server")


def prepare(cluster: Cluster) -> None:
    """Configuration files, and the broker's store; all of it for this user only."""
    private_folder(cluster.folder)
    # An older version made files that others could read.
    tighten(cluster.folder)
    shutil.rmtree(cluster.temporary, ignore_errors=True)
    conf, named = cluster.folder / "conf", ("kafka", "zookeeper", "flink", "artifacts", "workers")
    for folder in (conf, cluster.logs, cluster.temporary, *(cluster.folder / one for one in named)):
        private_folder(folder)
    write_private(conf / "kafka.properties", _kafka(cluster))
    write_private(conf / "zoo.cfg", _zookeeper(cluster))
    write_private(conf / "config.yaml", _flink(cluster))
    write_private(conf / "log4j.properties", _log4j())
    with zipfile.ZipFile(conf / "empty.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n")
    (conf / "empty.jar").chmod(FILE)
    if cluster.only and "kafka" not in cluster.only:
        return
    if not (cluster.folder / "kafka" / "meta.properties").exists():
        _format(cluster)


def _format(cluster: Cluster) -> None:
    """A new store for the broker; for a secure listener with its users and a certificate."""
    tool = ["java", "-cp", f"{cluster.jars_kafka}/*", "kafka.tools.StorageTool"]
    identity = subprocess.run(
        [*tool, "random-uuid"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    arguments = ["format", "-t", identity, "-c", str(cluster.folder / "conf" / "kafka.properties")]
    for name, password in cluster.users.items():
        arguments += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
    if cluster.users:
        _certify(cluster)
    # Every user of the machine can read a command line, so passwords take another way.
    subprocess.run(
        [*tool, "@/dev/stdin"],
        input="\n".join(arguments),
        text=True,
        capture_output=True,
        check=True,
        umask=OTHERS,
    )


def _certify(cluster: Cluster) -> None:
    store = [
        "-keystore",
        str(cluster.folder / "conf" / "kafka.p12"),
        "-storepass",
        STORE_PASSWORD,
        "-alias",
        "kafka",
    ]
    made = [
        "keytool",
        "-genkeypair",
        *store,
        "-storetype",
        "PKCS12",
        "-keyalg",
        "EC",
        "-validity",
        "30",
        "-dname",
        "CN=localhost",
    ]
    subprocess.run(
        [*made, "-ext", "san=dns:localhost,ip:127.0.0.1"],
        capture_output=True,
        check=True,
        umask=OTHERS,
    )
    exported = subprocess.run(
        ["keytool", "-exportcert", "-rfc", *store], capture_output=True, text=True, check=True
    )
    write_private(cluster.certificate, exported.stdout)


def _properties(settings: Mapping[str, object], separator: str = "=") -> str:
    return "".join(f"{name}{separator}{value}\n" for name, value in settings.items())


def _kafka(cluster: Cluster) -> str:
    listeners = {
        "PLAINTEXT": cluster.at("kafka"),
        "CONTROLLER": f"127.0.0.1:{cluster.port('kafka_controller')}",
    }
    advertised = {"PLAINTEXT": cluster.at("kafka")}
    if cluster.proxied:
        listeners["PROXIED"], advertised["PROXIED"] = (
            cluster.at("kafka_proxied"),
            cluster.at("kafka_proxy"),
        )
    protocols = {"SECURE": "SASL_SSL"}
    if cluster.users:
        listeners["SECURE"] = advertised["SECURE"] = cluster.at("kafka_secure")
    return _properties(
        {
            **_secure_listener(cluster),
            "listeners": ",".join(f"{name}://{place}" for name, place in listeners.items()),
            "advertised.listeners": ",".join(
                f"{name}://{place}" for name, place in advertised.items()
            ),
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocols.get(name, 'PLAINTEXT')}" for name in listeners
            ),
            "inter.broker.listener.name": "PLAINTEXT",
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{cluster.port('kafka_controller')}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": cluster.folder / "kafka",
            "num.partitions": cluster.kafka_partitions,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "group.initial.rebalance.delay.ms": 0,
            # Simulated and replayed readings may be older than the default retention.
            "log.retention.ms": -1,
        }
    )


def _secure_listener(cluster: Cluster) -> dict[str, object]:
    """The settings of the listener with SASL/SCRAM, TLS and access control; empty without users."""
    if not cluster.users:
        return {}
    return {
        "ssl.keystore.location": cluster.folder / "conf" / "kafka.p12",
        "ssl.keystore.password": STORE_PASSWORD,
        "ssl.keystore.type": "PKCS12",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.secure.scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The plain listener is the operator's.
        "super.users": "User:ANONYMOUS",
        "auto.create.topics.enable": "false",
    }


def _zookeeper(cluster: Cluster) -> str:
    return _properties(
        {
            "tickTime": 2000,
            "dataDir": cluster.folder / "zookeeper",
            "clientPort": cluster.port("zookeeper"),
            "clientPortAddress": "127.0.0.1",
            "admin.enableServer": "false",
            "server.1": "127.0.0.1:2888:3888",
        }
    )


_TASKMANAGER_MEMORY = {
    "taskmanager.memory.task.heap.size": "768m",
    "taskmanager.memory.task.off-heap.size": "64m",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
    "taskmanager.memory.managed.size": "256m",
    "taskmanager.memory.network.min": "128m",
    "taskmanager.memory.network.max": "128m",
}


def _flink(cluster: Cluster) -> str:
    folder, first_metrics = cluster.folder, cluster.port("jobmanager_metrics")
    settings = {
        "jobmanager.rpc.address": cluster.host,
        "jobmanager.rpc.port": cluster.port("flink_rpc"),
        "jobmanager.bind-host": cluster.host,
        "jobmanager.memory.process.size": "1g",
        "blob.server.port": cluster.port("flink_blob"),
        "rest.address": cluster.host,
        "rest.bind-address": cluster.host,
        "rest.port": cluster.port("flink_rest"),
        "taskmanager.host": cluster.host,
        "taskmanager.bind-host": cluster.host,
        # Any free port: each start has an address of its own, as a pod has. Nobody takes it for
        # that of the process that died.
        "taskmanager.rpc.port": 0,
        # A TaskManager whose registration is not answered ends, and is restarted.
        "taskmanager.registration.timeout": "25 s",
        "taskmanager.numberOfTaskSlots": cluster.slots,
        "taskmanager.cpu.cores": os.cpu_count(),
        **_TASKMANAGER_MEMORY,
        "io.tmp.dirs": cluster.temporary,
        # Nobody uploads jars: the job server submits job graphs.
        "web.submit.enable": "false",
        "state.backend.type": cluster.state_backend,
        "state.checkpoints.dir": f"file://{folder}/flink/checkpoints",
        "state.savepoints.dir": f"file://{folder}/flink/savepoints",
        "execution.checkpointing.interval": "1 s",
        "execution.checkpointing.timeout": "60 s",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": 2147483647,
        "restart-strategy.fixed-delay.delay": "1 s",
        # Seconds for which an ended job keeps its ledger: a week.
        "jobstore.expiration-time": 604800,
        "high-availability.type": "zookeeper",
        "high-availability.zookeeper.quorum": f"127.0.0.1:{cluster.port('zookeeper')}",
        "high-availability.storageDir": f"file://{folder}/flink/ha",
        "high-availability.zookeeper.client.session-timeout": 10000,
        "high-availability.jobmanager.port": cluster.port("flink_rpc"),
        "heartbeat.interval": 2000,
        "heartbeat.timeout": 8000,
        "heartbeat.rpc-failure-threshold": 2,
        # Beam's runner is on Flink's own class path: no job loads it again and keeps it.
        "classloader.resolve-order": "parent-first",
        "classloader.check-leaked-classloader": "false",
        "metrics.reporters": "prometheus",
        "metrics.reporter.prometheus.factory.class": (
            "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"
        ),
        "metrics.reporter.prometheus.port": f"{first_metrics}-{first_metrics + 8}",
        **cluster.flink,
    }
    return _properties(settings, ": ")


def _log4j() -> str:
    return """rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
appender.file.name = file
appender.file.type = RollingFile
appender.file.fileName = ${sys:log.file}
appender.file.filePattern = ${sys:log.file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %c - %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 50MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 4
# Says how its options are parsed and which settings it loads, with every job.
logger.configuration.name = org.apache.flink.configuration
logger.configuration.level = WARN
logger.beam.name = org.apache.beam
logger.beam.level = WARN
logger.zookeeper.name = org.apache.flink.shaded.zookeeper3
logger.zookeeper.level = WARN
"""


def forget(cluster: Cluster) -> None:
    """Remove all data of the cluster, logs included."""
    shutil.rmtree(cluster.folder, ignore_errors=True)
