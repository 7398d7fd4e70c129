// Basic cases of ClickHouse's JavaScript client. Prints {"case": null or what went wrong}.
//
// usage: node cases.mjs URL PASSWORD

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { createClient } from "@clickhouse/client";

const [url, password] = process.argv.slice(2);
const client = createClient({ url, username: "default", password, database: "otel" });
const squeezed = createClient({
  url,
  username: "default",
  password,
  database: "otel",
  compression: { request: true, response: true },
});

const table = "javascript_cases";
const rows = [
  { id: 1, name: "it's\t\"ü\" 🚀", tags: ["a", "b"] },
  { id: 2, name: "", tags: [] },
];

async function all(query, format = "JSONEachRow", more = {}) {
  const result = await client.query({ query, format, ...more });
  return result.json();
}

const cases = {
  async ping() {
    assert.deepEqual(await client.ping(), { success: true });
  },
  async pingWithSelect() {
    assert.deepEqual(await client.ping({ select: true }), { success: true });
  },
  async command() {
    await client.command({ query: `DROP TABLE IF EXISTS ${table}` });
    const { query_id } = await client.command({
      query: `CREATE TABLE ${table} (id UInt64, name String, tags Array(String))
              ENGINE = MergeTree ORDER BY id`,
      query_id: "made-by-javascript",
    });
    assert.equal(query_id, "made-by-javascript");
  },
  async insertRows() {
    const { executed, summary } = await client.insert({ table, values: rows, format: "JSONEachRow" });
    assert.equal(executed, true);
    assert.equal(summary.written_rows, "2");
    assert.deepEqual(await all(`SELECT * FROM ${table} ORDER BY id`), rows);
  },
  async insertStream() {
    const values = Readable.from(Array.from({ length: 1000 }, (_, n) => ({ id: n + 10, name: `${n}` })));
    await client.insert({ table, values, format: "JSONEachRow", columns: ["id", "name"] });
    const found = await all(`SELECT count() AS n FROM ${table} WHERE id >= 10`);
    assert.deepEqual(found, [{ n: 1000 }]);
  },
  async insertFromSelect() {
    await client.command({ query: `INSERT INTO ${table} (id) SELECT number + 5000 FROM numbers(7)` });
    assert.deepEqual(await all(`SELECT count() AS n FROM ${table} WHERE id >= 5000`), [{ n: 7 }]);
  },
  async insertCompressed() {
    await squeezed.insert({ table, values: [{ id: 9000, name: "x".repeat(100000) }], format: "JSONEachRow" });
    const result = await squeezed.query({ query: `SELECT length(name) AS n FROM ${table} WHERE id = 9000`, format: "JSONEachRow" });
    assert.deepEqual(await result.json(), [{ n: 100000 }]);
  },
  async formats() {
    assert.equal((await all("SELECT 1 AS n", "JSON")).rows, 1);
    assert.deepEqual(await all("SELECT 1 AS n", "JSONCompactEachRow"), [[1]]);
    assert.deepEqual(await all("SELECT 1 AS n, 'x' AS s", "JSONCompactEachRowWithNamesAndTypes"), [["n", "s"], ["UInt8", "String"], [1, "x"]]);
    const csv = await client.query({ query: "SELECT 1 AS n, 'x' AS s", format: "CSVWithNames" });
    assert.equal(await csv.text(), '"n","s"\n1,"x"\n');
  },
  async parameters() {
    const query_params = { number: 42, text: "it's\t\\", list: ["a'b", "c"], at: new Date(Date.UTC(2026, 0, 2)) };
    const query = "SELECT {number: Int32} AS n, {text: String} AS s, {list: Array(String)} AS l, toString({at: DateTime('UTC')}) AS t";
    assert.deepEqual(await all(query, "JSONEachRow", { query_params }), [
      { n: 42, s: "it's\t\\", l: ["a'b", "c"], t: "2026-01-02 00:00:00" },
    ]);
  },
  async settings() {
    const more = { clickhouse_settings: { output_format_json_quote_64bit_integers: 1 } };
    assert.deepEqual(await all("SELECT toUInt64(1) AS n", "JSONEachRow", more), [{ n: "1" }]);
  },
  async sessions() {
    const session_id = "javascript-session";
    await client.command({ query: "SET max_block_size = 123", session_id });
    const found = await all("SELECT toUInt32(getSetting('max_block_size')) AS n", "JSONEachRow", { session_id });
    assert.deepEqual(found, [{ n: 123 }]);
  },
  async streams() {
    const result = await client.query({ query: "SELECT number FROM numbers(300000)", format: "JSONCompactEachRow" });
    let count = 0;
    for await (const block of result.stream()) count += block.length;
    assert.equal(count, 300000);
  },
  async exec() {
    const { stream } = await client.exec({ query: "SELECT 'raw' FORMAT TSV" });
    let text = "";
    for await (const piece of stream) text += piece;
    assert.equal(text, "raw\n");
  },
  async errors() {
    await assert.rejects(client.query({ query: "SELECT nope" }), { code: "47", type: "UNKNOWN_IDENTIFIER" });
    await assert.rejects(client.command({ query: "SYSTEM SHUTDOWN" }), { code: "48" });
    const stranger = createClient({ url, username: "default", password: "wrong" });
    await assert.rejects(stranger.query({ query: "SELECT 1" }), { code: "516", type: "AUTHENTICATION_FAILED" });
    await stranger.close();
  },
  async errorInTheMiddle() {
    const result = await client.query({ query: "SELECT throwIf(number = 900000) FROM numbers(1000000)", format: "JSONCompactEachRow" });
    await assert.rejects(async () => {
      for await (const _ of result.stream());
    }, /throwIf/);
  },
  async abort() {
    const stop = new AbortController();
    const asked = client.query({
      query: "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))",
      abort_signal: stop.signal,
    });
    setTimeout(() => stop.abort(), 300);
    await assert.rejects(asked, /abort/i);
  },
};

const outcome = {};
for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
    outcome[name] = null;
  } catch (error) {
    outcome[name] = String(error?.stack ?? error);
  }
}
await client.close();
await squeezed.close();
console.log(JSON.stringify(outcome));
