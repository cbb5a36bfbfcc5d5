// java -cp '.jars/kafka-*/*' Send.java BOOTSTRAP TOPIC PLAN: sends by Apache Kafka's own client.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Send {
    public static void main(String[] arguments) throws Exception {
        for (String line : Files.readAllLines(Path.of(arguments[2]))) {
            send(arguments[0], arguments[1], new ObjectMapper().readTree(line));
        }
    }

    private static void send(String bootstrap, String topic, JsonNode plan) throws Exception {
        String end = plan.get("transaction").asText();
        Map<String, Object> settings = new HashMap<>(Map.of(
            "bootstrap.servers", bootstrap,
            "acks", "all",
            "linger.ms", 20,
            "compression.type", plan.get("codec").asText(),
            "key.serializer", ByteArraySerializer.class,
            "value.serializer", ByteArraySerializer.class));
        if (!plan.get("partitioner").asText().equals("default")) {
            settings.put("partitioner.class", plan.get("partitioner").asText());
        }
        if (!end.isEmpty()) {
            settings.put("transactional.id", topic + "-" + plan.get("id").asText());
        }
        try (var producer = new KafkaProducer<byte[], byte[]>(settings)) {
            if (!end.isEmpty()) {
                producer.initTransactions();
                producer.beginTransaction();
            }
            var sent = new ArrayList<Future<RecordMetadata>>();
            for (JsonNode one : plan.get("records")) {
                sent.add(producer.send(record(topic, one)));
            }
            producer.flush();
            for (var future : sent) {
                future.get();
            }
            if (end.equals("commit")) {
                producer.commitTransaction();
            } else if (end.equals("abort")) {
                producer.abortTransaction();
            }
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, JsonNode one) throws Exception {
        int partition = one.get("partition").asInt();
        JsonNode timestamp = one.get("timestamp");
        var record = new ProducerRecord<>(
            topic,
            partition < 0 ? null : partition,
            timestamp.isNull() ? null : timestamp.asLong(),
            one.get("key").binaryValue(),
            one.get("value").binaryValue());
        for (JsonNode header : one.get("headers")) {
            record.headers().add(header.get(0).asText(), header.get(1).binaryValue());
        }
        return record;
    }
}
