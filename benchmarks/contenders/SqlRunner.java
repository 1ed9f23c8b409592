import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Runs the statements of a file on the cluster that FLINK_CONF_DIR tells of. */
public class SqlRunner {
    public static void main(String[] arguments) throws Exception {
        Configuration configuration = GlobalConfiguration.loadConfiguration();
        configuration.setString("execution.target", "remote");
        TableEnvironment tables =
                TableEnvironment.create(EnvironmentSettings.newInstance().withConfiguration(configuration).build());
        for (String statement : Files.readString(Path.of(arguments[0])).split(";\\s*\n")) {
            String[] words = statement.strip().split("'");
            if (statement.strip().startsWith("SET ")) {
                tables.getConfig().set(words[1], words[3]);
            } else if (!statement.isBlank()) {
                tables.executeSql(statement);
            }
        }
    }
}
