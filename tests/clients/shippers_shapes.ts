/**
 * What log shippers send, request by request: method, headers, and body to the byte, and the messages that they mean by
 * it. Taken from their sources, or from what was seen on the wire; the names of the options that lead to a shape stand
 * beside it.
 *
 * @module
 */
import { gzipSync, zstdCompressSync } from "node:zlib";

/** One request of a shipper. */
export interface Shape {
  /** Who sends it, and with which options. */
  readonly name: string;
  /** @default POST */
  readonly method?: "POST" | "PUT";
  readonly headers: Readonly<Record<string, string>>;
  /** Declared by `content-length`, unless the headers say that it is chunked. */
  readonly body: string | Uint8Array;
  /** What must be stored for it: these messages, and nothing else. */
  readonly messages: readonly string[];
}

/** Events as JSON: a line end within a value, what forms and URLs would decode, and a number that JavaScript rounds. */
const EVENTS = [
  '{"message":"one\\ntwo","n":12345678901234567890}',
  '{"message":"a=b&c=%41+d","tags":["x","[,]"],"empty":{}}',
  '{"message":"Grüße \\u0000 \\"quoted\\" \\\\","host":"web-1"}',
] as const;
const LINES = [
  "<13>1 2026-01-02T03:04:05.678Z web-1 nginx 42 - - GET /?a=b&c=%41+d HTTP/1.1",
  '<14>1 2026-01-02T03:04:06Z web-1 app - - [x@1 y="z"] Grüße',
  "plain text",
] as const;
const ONE = EVENTS[1];

const ARRAY = `[${EVENTS.join(",")}]`;
const NDJSON = EVENTS.join("\n");

/** One batch of an OpenTelemetry collector, as `encoding: json` makes it. */
const OTLP = JSON.stringify({
  resourceLogs: [{
    resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] },
    scopeLogs: [{
      scope: {},
      logRecords: [
        { timeUnixNano: "1760000000000000000", severityText: "INFO", body: { stringValue: "a\nb" } },
        { timeUnixNano: "1760000000000000001", severityText: "WARN", body: { stringValue: "c" } },
      ],
    }],
  }],
});

const VECTOR = {
  "user-agent": "Vector/0.58.0 (x86_64-unknown-linux-gnu)",
  "accept-encoding": "zstd,gzip,deflate,br",
  accept: "*/*",
};
const FLUENT_BIT = { "user-agent": "Fluent-Bit" };
const LOGSTASH = {
  connection: "Keep-Alive",
  "user-agent": "Manticore 0.9.1",
  "accept-encoding": "gzip,deflate",
};
const FLUENTD = {
  "accept-encoding": "gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
  accept: "*/*",
  "user-agent": "Ruby",
};
const OTEL = { "user-agent": "OpenTelemetry Collector Contrib/0.140.0 (linux/amd64)" };
const CURL = { "user-agent": "curl/7.88.1", accept: "*/*" };
const JSON_TYPE = { "content-type": "application/json" };
const NDJSON_TYPE = { "content-type": "application/x-ndjson" };
const TEXT_TYPE = { "content-type": "text/plain" };
const FORM_TYPE = { "content-type": "application/x-www-form-urlencoded" };
const GZIP = { "content-encoding": "gzip" };
const ZSTD = { "content-encoding": "zstd" };
const CHUNKED = { "transfer-encoding": "chunked" };
const EXPECT = { expect: "100-continue" };

export const SHAPES: readonly Shape[] = [
  {
    name: "Vector: encoding.codec = json, an array",
    headers: { ...VECTOR, ...JSON_TYPE },
    body: ARRAY,
    messages: EVENTS,
  },
  {
    name: "Vector: json with framing.method = newline_delimited, no last line end",
    headers: { ...VECTOR, ...NDJSON_TYPE },
    body: NDJSON,
    messages: EVENTS,
  },
  {
    name: "Vector: encoding.codec = text",
    headers: { ...VECTOR, ...TEXT_TYPE },
    body: `${LINES.join("\n")}\n`,
    messages: LINES,
  },
  {
    name: "Vector: compression = gzip",
    headers: { ...VECTOR, ...JSON_TYPE, ...GZIP },
    body: gzipSync(ARRAY),
    messages: EVENTS,
  },
  {
    name: "Vector: compression = zstd, method = put",
    method: "PUT",
    headers: { ...VECTOR, ...NDJSON_TYPE, ...ZSTD },
    body: zstdCompressSync(NDJSON),
    messages: EVENTS,
  },
  {
    name: "Fluent Bit: format json, an array",
    headers: { ...FLUENT_BIT, ...JSON_TYPE },
    body: ARRAY,
    messages: EVENTS,
  },
  {
    name: "Fluent Bit: format json_lines",
    headers: { ...FLUENT_BIT, ...NDJSON_TYPE },
    body: `${NDJSON}\n`,
    messages: EVENTS,
  },
  {
    name: "Fluent Bit: format json_stream, objects without anything between them",
    headers: { ...FLUENT_BIT, ...JSON_TYPE },
    body: EVENTS.join(""),
    // Not lines, not one value: what nobody can divide is one message.
    messages: [EVENTS.join("")],
  },
  {
    name: "Fluent Bit: compress gzip",
    headers: { ...FLUENT_BIT, ...NDJSON_TYPE, ...GZIP },
    body: gzipSync(`${NDJSON}\n`),
    messages: EVENTS,
  },
  {
    name: "Fluent Bit: compress zstd",
    headers: { ...FLUENT_BIT, ...JSON_TYPE, ...ZSTD },
    body: zstdCompressSync(ARRAY),
    messages: EVENTS,
  },
  {
    name: "syslog-ng: without headers() and body-suffix(), lines in the type of forms",
    headers: { "user-agent": "syslog-ng 3.38.1/libcurl 7.88.1", accept: "*/*", ...FORM_TYPE },
    body: LINES.join("\n"),
    messages: LINES,
  },
  {
    name: "syslog-ng: as configured in docs/shippers.md",
    headers: { "user-agent": "syslog-ng 3.38.1/libcurl 7.88.1", accept: "*/*", ...NDJSON_TYPE },
    body: `${NDJSON}\n`,
    messages: EVENTS,
  },
  {
    name: "rsyslog omhttp: batch=off, one message a request",
    headers: { accept: "*/*", ...TEXT_TYPE },
    body: LINES[0],
    messages: [LINES[0]],
  },
  {
    name: "rsyslog omhttp: batch.format=newline, no last line end",
    headers: { accept: "*/*", ...TEXT_TYPE },
    body: LINES.join("\n"),
    messages: LINES,
  },
  {
    name: "rsyslog omhttp: batch.format=jsonarray, compress=on",
    headers: { accept: "*/*", "content-type": "application/json; charset=utf-8", ...GZIP },
    body: gzipSync(ARRAY),
    messages: EVENTS,
  },
  {
    name: "Logstash: format => json, one object a request",
    headers: { ...LOGSTASH, ...JSON_TYPE },
    body: ONE,
    messages: [ONE],
  },
  {
    name: "Logstash: format => json_batch, an array",
    headers: { ...LOGSTASH, ...JSON_TYPE },
    body: ARRAY,
    messages: EVENTS,
  },
  {
    name: "Logstash: json_batch with http_compression",
    headers: { ...LOGSTASH, ...JSON_TYPE, ...GZIP },
    body: gzipSync(ARRAY),
    messages: EVENTS,
  },
  {
    name: "Logstash: format => message",
    headers: { ...LOGSTASH, "content-type": "text/plain; charset=UTF-8" },
    body: LINES[1],
    messages: [LINES[1]],
  },
  {
    name: "Fluentd: out_http, ndjson",
    headers: { ...FLUENTD, ...NDJSON_TYPE },
    body: `${NDJSON}\n`,
    messages: EVENTS,
  },
  {
    name: "Fluentd: out_http with json_array and compress gzip",
    headers: { ...FLUENTD, ...JSON_TYPE, ...GZIP },
    body: gzipSync(ARRAY),
    messages: EVENTS,
  },
  {
    name: "OpenTelemetry collector: encoding json, compression gzip, one document",
    headers: { ...OTEL, ...JSON_TYPE, ...GZIP },
    body: gzipSync(OTLP),
    messages: [OTLP],
  },
  {
    name: "OpenTelemetry collector: compression zstd",
    headers: { ...OTEL, ...JSON_TYPE, ...ZSTD },
    body: zstdCompressSync(OTLP),
    messages: [OTLP],
  },
  {
    name: "an object over several lines, as people and jq write it",
    headers: { ...CURL, ...JSON_TYPE },
    body: '{\n  "message": "one",\n  "tags": [\n    1,\n    2\n  ]\n}\n',
    messages: ['{"message": "one","tags": [1,2]}'],
  },
  {
    name: "curl -d: the type of forms, no line end",
    headers: { ...CURL, ...FORM_TYPE },
    body: LINES[0],
    messages: [LINES[0]],
  },
  {
    name: "curl --data-binary @file",
    headers: { ...CURL, ...FORM_TYPE },
    body: `${LINES.join("\n")}\n`,
    messages: LINES,
  },
  {
    name: "curl --data-binary @file, more than 1 MiB: Expect",
    headers: { ...CURL, ...FORM_TYPE, ...EXPECT },
    body: `${LINES[0]}\n`.repeat(20_000),
    messages: Array.from({ length: 20_000 }, () => LINES[0]),
  },
  {
    name: "curl -T -: a chunked PUT with Expect, no type, no last line end",
    method: "PUT",
    headers: { ...CURL, ...CHUNKED, ...EXPECT },
    body: LINES.join("\n"),
    messages: LINES,
  },
  {
    name: "Node's fetch with a stream, chunked JSON array",
    headers: { "user-agent": "node", ...JSON_TYPE, ...CHUNKED },
    body: ARRAY,
    messages: EVENTS,
  },
  {
    name: "nothing at all, as a shipper's first probe or a flush without events",
    headers: { ...CURL, ...JSON_TYPE },
    body: "[]",
    messages: [],
  },
];
