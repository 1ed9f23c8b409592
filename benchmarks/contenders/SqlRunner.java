package benchmarks.contenders;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/** Runs the statements of a file on the cluster that FLINK_CONF_DIR describes; the last one is the job. */
public final class SqlRunner {
    public static void main(String[] arguments) throws Exception {
        Configuration configuration = GlobalConfiguration.loadConfiguration();
        configuration.setString("execution.target", "remote");
        // Settings before the tables also apply to the stream environment: parallelism, checkpoints,
        // object reuse.
        String[] statements = Files.readString(Path.of(arguments[0])).split(";\\s*\n");
        for (String statement : statements) {
            String[] words = statement.strip().split("'");
            if (statement.strip().startsWith("SET ")) {
                configuration.setString(words[1], words[3]);
            }
        }
        StreamTableEnvironment tables =
                StreamTableEnvironment.create(StreamExecutionEnvironment.getExecutionEnvironment(configuration));
        tables.getConfig().addConfiguration(configuration);
        for (String statement : statements) {
            String[] words = statement.strip().split("\\s+");
            if (words[0].equals("BRIDGE")) {
                Schema schema = Schema.newBuilder().watermark("observed_at", "observed_at - INTERVAL '5' SECOND").build();
                tables.createTemporaryView(
                        words[2], tables.fromDataStream(tables.toDataStream(tables.from(words[1])), schema));
            } else if (!words[0].equals("SET") && !statement.isBlank()) {
                tables.executeSql(statement);
            }
        }
    }
}
