// Talks to ClickHouse as @clickhouse/client does; says on one line what came of it.
import { ClickHouseLogLevel, createClient } from "@clickhouse/client";

const ROWS = 1000;
const [url, username, password, database, endless, big, late] = process.argv.slice(2);
const log = { level: ClickHouseLogLevel.OFF };
const settings = { url, username, password, database, log };
const client = createClient(settings);
const packed = createClient({ ...settings, compression: { request: true, response: true } });
const said = {};

async function read(from, query) {
  const result = await from.query({ query, format: "JSONCompactEachRow" });
  let count = 0;
  let sum = 0;
  for await (const rows of result.stream()) {
    for (const row of rows) {
      const [number, text] = row.json();
      if (String(number) !== text) throw new Error(`${number} came as ${text}`);
      count += 1;
      sum += Number(number);
    }
  }
  return [count, sum];
}

async function code(work) {
  try {
    await work();
  } catch (error) {
    if (!error.code) console.error("no code:", error);
    return Number(error.code ?? 0);
  }
  return 0;
}

const pong = await client.ping();
if (!pong.success) throw pong.error;
const version = await client.query({ query: "SELECT version()", format: "JSONEachRow" });
said.connect = (await version.json())[0]["version()"].split(".").slice(0, 2).join(".");

const query_params = { number: 7, text: "it's" };
const query = "SELECT {number:UInt32} AS number, {text:String} AS text";
const found = await client.query({ query, query_params, format: "JSONEachRow" });
said.parameters = Object.values((await found.json())[0]);

const values = Array.from({ length: ROWS }, (_, id) => ({
  id,
  name: `it's ${id}`,
  tags: ["a", String(id)],
  note: id % 2 ? null : `note ${id}`,
  day: "2026-01-02 03:04:05",
}));
await client.insert({ table: "things", values, format: "JSONEachRow" });
await packed.insert({ table: "things", values, format: "JSONEachRow" });
said.inserted = 2 * ROWS;

said.big = await read(client, big);
said.big_packed = await read(packed, big);
said.error = await code(() => client.query({ query: "SELECT * FROM nowhere" }));
said.error_packed = await code(() => packed.query({ query: "SELECT * FROM nowhere" }));
said.late_error = await code(() => read(client, late));

const stop = new AbortController();
setTimeout(() => stop.abort(), 1000);
const query_id = `node-cancel-${database}`;
try {
  const running = await client.query({ query: endless, query_id, abort_signal: stop.signal });
  await running.text();
  said.cancelled = false;
} catch {
  said.cancelled = true;
}
await client.close();
await packed.close();
console.log(JSON.stringify(said));
