// Activity events from Java, by way of Apache Kafka's own client and nothing else.
// What an event is: schemas/activity-event.v1.schema.json.
//
//   java -cp '.jars/kafka-*/*' examples/Emit.java acme nightly-export
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public final class Emit {
    private static final SecureRandom RANDOM = new SecureRandom();

    // Of this process: unique per start, and counting its events from 0. A hole is a lost event.
    private static final String PRODUCER_ID = host() + "-" + ProcessHandle.current().pid() + "-" + uuid7(Instant.now());
    private static final AtomicLong SEQ = new AtomicLong();

    public static void main(String[] arguments) throws Exception {
        String org = arguments[0];
        String job = arguments[1];
        try (var producer = new KafkaProducer<String, String>(Map.of(
                "bootstrap.servers", environment("ACTIVITY_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
                "acks", "all",
                "key.serializer", StringSerializer.class.getName(),
                "value.serializer", StringSerializer.class.getName()))) {
            String topic = environment("ACTIVITY_KAFKA_TOPIC", "activity.events.v1");
            Instant began = Instant.now();
            // ... the job itself ...
            // The key is the org: its events stay in one partition, and so in their order.
            producer.send(new ProducerRecord<>(topic, org, event(org, job, began))).get();
        }
    }

    private static String event(String org, String job, Instant began) {
        double tookMs = (System.currentTimeMillis() - began.toEpochMilli());
        return "{\"id\":" + quoted(uuid7(began).toString())
            + ",\"timestamp\":" + quoted(began.toString())
            + ",\"org_id\":" + quoted(org)
            + ",\"method\":\"WORKER\",\"path\":\"\",\"action\":\"execute\",\"status_code\":200"
            + ",\"duration_ms\":" + Math.max(0.0, tookMs)
            + ",\"resource_type\":\"job\",\"resource_id\":" + quoted(job)
            + ",\"producer_id\":" + quoted(PRODUCER_ID)
            + ",\"seq\":" + SEQ.getAndIncrement() + "}";
    }

    /** Minted once per event; a retry must send the same one again. */
    private static UUID uuid7(Instant at) {
        long most = at.toEpochMilli() << 16 | 0x7000 | RANDOM.nextInt(1 << 12);
        return new UUID(most, RANDOM.nextLong() >>> 2 | 1L << 63);
    }

    private static String quoted(String text) {
        var json = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') json.append('\\').append(c);
            else if (c < ' ') json.append(String.format("\\u%04x", (int) c));
            else json.append(c);
        }
        return json.append('"').toString();
    }

    private static String environment(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }

    private static String host() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (java.net.UnknownHostException unknown) {
            return "host";
        }
    }
}
