// node send.mjs BOOTSTRAP TOPIC PLAN: sends by kafkajs. It has gzip; snappy comes from its plug-in.
import { readFileSync } from "node:fs";
import kafkajs from "kafkajs";
import SnappyCodec from "kafkajs-snappy";

const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = kafkajs;
CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec;

const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
};
const partitioners = {
  default: Partitioners.DefaultPartitioner,
  legacy: Partitioners.LegacyPartitioner,
};
const bytes = (text) => (text === null ? null : Buffer.from(text, "base64"));

function message(record) {
  const headers = {}; // of one name several: a list
  for (const [name, value] of record.headers) (headers[name] ??= []).push(bytes(value));
  return {
    key: bytes(record.key),
    value: bytes(record.value),
    headers,
    ...(record.partition >= 0 && { partition: record.partition }),
    ...(record.timestamp !== null && { timestamp: String(record.timestamp) }),
  };
}

async function send(kafka, topic, plan) {
  const transactional = plan.transaction !== "";
  const producer = kafka.producer({
    createPartitioner: partitioners[plan.partitioner],
    ...(transactional && {
      transactionalId: `${topic}-${plan.id}`,
      idempotent: true,
      maxInFlightRequests: 1,
    }),
  });
  await producer.connect();
  const sender = transactional ? await producer.transaction() : producer;
  await sender.send({
    topic,
    acks: -1,
    compression: codecs[plan.codec],
    messages: plan.records.map(message),
  });
  if (plan.transaction === "commit") await sender.commit();
  if (plan.transaction === "abort") await sender.abort();
  await producer.disconnect();
}

const [bootstrap, topic, path] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR });
for (const line of readFileSync(path, "utf8").trim().split("\n")) {
  await send(kafka, topic, JSON.parse(line));
}
