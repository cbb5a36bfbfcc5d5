import com.clickhouse.client.api.ServerException;
import java.sql.*;
import java.util.Properties;

/** Talks to ClickHouse as clickhouse-jdbc does; says on one line what came of it. */
public final class Client {
    private static final int ROWS = 1000;

    public static void main(String[] given) throws Exception {
        String url = given[0], endless = given[4], big = given[5], late = given[6];
        Properties settings = new Properties();
        settings.setProperty("user", given[1]);
        settings.setProperty("password", given[2]);
        settings.setProperty("database", given[3]);
        Properties packed = new Properties();
        packed.putAll(settings);
        packed.setProperty("compress_algorithm", "LZ4");
        packed.setProperty("client.use_http_compression", "true");
        packed.setProperty("decompress", "true");
        StringBuilder said = new StringBuilder("{");
        try (Connection connection = DriverManager.getConnection(url, settings);
                Connection http = DriverManager.getConnection(url, packed)) {
            DatabaseMetaData meta = connection.getMetaData();
            String version = meta.getDatabaseMajorVersion() + "." + meta.getDatabaseMinorVersion();
            add(said, "connect", "\"" + version + "\"");
            try (PreparedStatement statement = connection.prepareStatement("SELECT ?, ?")) {
                statement.setInt(1, 7);
                statement.setString(2, "it's");
                try (ResultSet found = statement.executeQuery()) {
                    found.next();
                    add(said, "parameters", "[" + found.getInt(1) + ", \"" + found.getString(2) + "\"]");
                }
            }
            insert(connection);
            insert(http);
            add(said, "inserted", String.valueOf(2 * ROWS));
            add(said, "big", read(connection, big));
            add(said, "big_packed", read(http, big));
            add(said, "error", code(connection, "SELECT * FROM nowhere"));
            add(said, "error_packed", code(http, "SELECT * FROM nowhere"));
            add(said, "late_error", code(connection, late));
            add(said, "cancelled", String.valueOf(cancel(connection, endless)));
            add(said, "timed_out", code(connection, endless + ", max_execution_time = 1"));
        }
        System.out.println(said.deleteCharAt(said.length() - 1).append("}"));
        System.exit(0);
    }

    private static void add(StringBuilder said, String name, String value) {
        said.append('"').append(name).append("\": ").append(value).append(",");
    }

    private static void insert(Connection connection) throws SQLException {
        String sql = "INSERT INTO things (id, name, note, day) VALUES (?, ?, ?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int id = 0; id < ROWS; id++) {
                statement.setLong(1, id);
                statement.setString(2, "it's " + id);
                statement.setString(3, id % 2 == 0 ? "note " + id : null);
                statement.setString(4, "2026-01-02 03:04:05");
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }

    private static String read(Connection connection, String sql) throws SQLException {
        long count = 0, sum = 0;
        try (Statement statement = connection.createStatement(); ResultSet found = statement.executeQuery(sql)) {
            while (found.next()) {
                long number = found.getLong(1);
                if (!found.getString(2).equals(String.valueOf(number))) {
                    throw new SQLException(number + " came as " + found.getString(2));
                }
                count++;
                sum += number;
            }
        }
        return "[" + count + ", " + sum + "]";
    }

    private static String code(Connection connection, String sql) {
        try (Statement statement = connection.createStatement(); ResultSet found = statement.executeQuery(sql)) {
            while (found.next()) {}
            return "0";
        } catch (SQLException error) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                if (cause instanceof ServerException known) return String.valueOf(known.getCode());
            }
            return "-1"; // an error, and this driver does not read which
        }
    }

    private static boolean cancel(Connection connection, String endless) throws Exception {
        try (Statement statement = connection.createStatement()) {
            boolean[] stopped = {false};
            Thread running = new Thread(() -> {
                try {
                    statement.executeQuery(endless);
                } catch (SQLException error) {
                    stopped[0] = true;
                }
            });
            running.start();
            Thread.sleep(1000);
            statement.cancel();
            running.join(60_000);
            return stopped[0];
        }
    }
}
