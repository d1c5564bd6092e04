/**
 * Requests that nobody should send: made by the grammar of HTTP and of this program's interface with something wrong in
 * one or many places, or whole ones with their bytes changed. All of it follows from one source of randomness.
 *
 * @module
 */
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { concatenate } from "../../lib/protocol/bytes.ts";
import { encodeChangesRequest, encodeFetchRequest, encodeKnowsRequest } from "../../lib/replication/wire.ts";
import type { SeededRandom } from "../support/seeded_random.ts";

const encoder = new TextEncoder();

/** What goes over a socket. */
export type Bytes = Uint8Array<ArrayBuffer>;

const PATHS = [
  "/write",
  "/read",
  "/ack",
  "/listChunks",
  "/listCategories",
  "/tail",
  "/consume",
  "/lease",
  "/consumers",
  "/seek",
  "/livez",
  "/readyz",
  "/status",
  "/metrics",
  "/openapi.json",
  "/replication/changes",
  "/replication/fetch",
  "/replication/knows",
];
const METHODS = [
  "GET",
  "POST",
  "PUT",
  "HEAD",
  "DELETE",
  "OPTIONS",
  "PATCH",
  "TRACE",
  "CONNECT",
  "get",
  "G\0T",
  "PRI",
];
const NAMES = [
  "fuzzed",
  "fuzzed-2",
  "..",
  ".",
  "../../evil",
  "%2e%2e%2fevil",
  "..%5cevil",
  "/etc/passwd",
  "a/b",
  "node.json",
  "lock",
  "__proto__",
  "constructor",
  "a\0b",
  "%00",
  "%",
  "%zz",
  "%c3%28",
  "ünïcode",
  "\u{1f980}",
  "CON",
  ".hidden",
  "-dash",
  "x".repeat(128),
  "x".repeat(129),
  "x".repeat(5_000),
  "fuzzed ",
  "",
];
const CHUNKS = [
  "node_1-chunk000000000",
  "node_1-chunk000000001",
  "node_1-chunk999999999",
  "node_1-chunk9999999999",
  "node_9-chunk000000000",
  "../node_1-chunk000000000",
  "node_1-chunk00000000x",
  "node_1-chunk000000000.idx",
  "node_1-chunk-00000001",
  "",
];
const NUMBERS = [
  "0",
  "1",
  "-1",
  "-0",
  "1e9",
  "NaN",
  "Infinity",
  "0x10",
  " 7",
  "7 ",
  "+7",
  "1.5",
  "9007199254740991",
  "9007199254740992",
  "99999999999999999999999999",
  "true",
  "",
  "٣",
];
const PARAMS = [
  "category",
  "chunk",
  "off",
  "max_size",
  "size",
  "min_sync_replicas",
  "sync_each_write",
  "timeout",
  "from",
  "cursor",
  "consumer",
  "offset",
  "epoch",
  "lease",
  "wait",
  "max_deliveries",
  "deliveries",
  "worker",
  "to",
  "verbose",
  "__proto__",
];
const TYPES = [
  "application/json",
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "\x01",
  "a/b;",
];
const ENCODINGS = [
  "gzip",
  "deflate",
  "zstd",
  "br",
  "identity",
  "gzip, gzip",
  "gzip,zstd,gzip",
  ", ,",
  "GZIP",
  "x-gzip",
];
const TIMES = ["earliest", "latest", "2020-01-01T00:00:00Z", "1e400", "-5m", "now", "99999999999999", "0"];

/** Makes requests. */
export class Requests {
  constructor(private readonly random: SeededRandom) {}

  /** What is sent on one connection: one or several requests, or something like it. */
  next(): Bytes {
    const { random } = this;
    let bytes = this.#request();
    // Behind each other, without waiting for an answer.
    while (random.below(4) === 0) bytes = concatenate([bytes, this.#request()]);
    if (random.below(3) === 0) bytes = this.mutated(bytes);
    return bytes;
  }

  /** The same with some bytes changed, taken out, doubled or cut off. */
  mutated(bytes: Uint8Array): Bytes {
    const { random } = this;
    let changed = new Uint8Array(bytes);
    for (let i = random.below(8); i >= 0; i--) {
      const at = random.below(changed.length + 1);
      const to = Math.min(changed.length, at + 1 + random.below(16));
      const kind = random.below(5);
      if (kind === 0) changed.fill(random.below(256), at, to);
      else if (kind === 1 && at < changed.length) changed[at]! ^= 1 << random.below(8);
      else if (kind === 2) changed = concatenate([changed.subarray(0, at), changed.subarray(to)]);
      else if (kind === 3) changed = concatenate([changed.subarray(0, to), changed.subarray(at)]);
      else if (random.below(4) === 0) changed = changed.slice(0, at);
    }
    return changed;
  }

  #request(): Bytes {
    const { random } = this;
    const path = random.pick(PATHS);
    const body = this.#body(path);
    const method = random.below(3) > 0 ? (body.length > 0 ? "POST" : "GET") : random.pick(METHODS);
    const version = random.below(20) > 0
      ? "HTTP/1.1"
      : random.pick(["HTTP/1.0", "HTTP/2.0", "HTTP/9", "", "HTTP/1.1 x"]);
    const lines = [`${method} ${this.#target(path)} ${version}`, "host: x", ...this.#headers(body.length)];
    const end = random.below(30) === 0 ? "\n\n" : "\r\n\r\n";
    const head = encoder.encode(lines.join("\r\n") + end);
    const isChunked = lines.some((line) => /^transfer-encoding: chunked$/i.test(line));
    return concatenate([head, isChunked ? this.#chunked(body) : body]);
  }

  #target(path: string): string {
    const { random } = this;
    if (random.below(30) === 0) {
      return random.pick(["*", "//", "/" + "a/".repeat(4_000), "http://x" + path, "/..;/", "", "/%"]);
    }
    const params = random.below(3) > 0 ? this.#usualParams(path) : [];
    for (let i = random.below(4); i > 0; i--) params.push(`${random.pick(PARAMS)}=${this.#value()}`);
    if (random.below(40) === 0) params.push(...Array<string>(2_000).fill("a=b"));
    const raw = params.join(random.below(20) > 0 ? "&" : random.pick([";", "&&", "&=&", "?"]));
    // What a client would have escaped is sent as it is now and then.
    const query = random.below(4) > 0 ? raw.replaceAll(/[\0- \u007f-\u{10ffff}]/gu, encodeURIComponent) : raw;
    return query === "" ? path : `${path}?${query}`;
  }

  #usualParams(path: string): string[] {
    const { random } = this;
    const category = `category=${random.below(3) > 0 ? "fuzzed" : random.pick(NAMES)}`;
    switch (path) {
      case "/write":
        return [category];
      case "/read":
        return [
          category,
          `chunk=${random.pick(CHUNKS)}`,
          `off=${random.pick(NUMBERS)}`,
          `max_size=${random.pick(NUMBERS)}`,
        ];
      case "/ack":
        return [category, `chunk=${random.pick(CHUNKS)}`, `size=${random.pick(NUMBERS)}`];
      case "/consume":
        return [
          category,
          `consumer=${random.pick(NAMES)}`,
          `lease=${random.pick(NUMBERS)}`,
          `wait=${random.pick(NUMBERS)}`,
          `max_deliveries=${random.pick(NUMBERS)}`,
        ];
      case "/lease":
      case "/seek":
        return [
          category,
          `consumer=${random.pick(NAMES)}`,
          `chunk=${random.pick(CHUNKS)}`,
          `offset=${random.pick(NUMBERS)}`,
          `size=${random.pick(NUMBERS)}`,
          `lease=${random.pick(NUMBERS)}`,
          `to=${random.pick([...TIMES, `${random.pick(CHUNKS)}:${random.pick(NUMBERS)}`])}`,
        ];
      case "/tail":
        return [category, `from=${random.pick(TIMES)}`];
      default:
        return [category];
    }
  }

  #value(): string {
    const { random } = this;
    return random.pick(random.pick([NAMES, CHUNKS, NUMBERS, TIMES]));
  }

  #headers(length: number): string[] {
    const { random } = this;
    const headers: string[] = [];
    const declared = random.below(12);
    if (declared < 8) {
      if (length > 0) headers.push(`content-length: ${length}`);
    } else if (declared === 8) headers.push("transfer-encoding: chunked");
    else {headers.push(
        `content-length: ${random.pick([...NUMBERS, String(length + 5), String(Math.max(0, length - 5))])}`,
      );}
    if (random.below(30) === 0) headers.push("content-length: 3", "transfer-encoding: chunked");
    if (random.below(3) === 0) headers.push(`content-encoding: ${random.pick(ENCODINGS)}`);
    if (random.below(3) === 0) headers.push(`content-type: ${random.pick(TYPES)}`);
    if (random.below(8) === 0) {
      headers.push(`accept: ${random.pick(["text/event-stream", "text/html", "*/*", ";;q", "\xff"])}`);
    }
    if (random.below(12) === 0) headers.push(`last-event-id: ${this.#value()}`);
    if (random.below(20) === 0) headers.push("expect: 100-continue");
    if (random.below(20) === 0) {
      headers.push(`connection: ${random.pick(["close", "upgrade", "keep-alive, x", "\t"])}`);
    }
    if (random.below(40) === 0) headers.push("upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__");
    if (random.below(40) === 0) {
      headers.push(...Array.from({ length: 300 }, (_, i) => `x-${i}: ${"y".repeat(random.below(200))}`));
    }
    if (random.below(40) === 0) headers.push(`x-long: ${"z".repeat(100_000)}`);
    if (random.below(30) === 0) {
      headers.push(
        random.pick([" folded", "no colon", ": no name", "a b: c", "x: \0", "authorization: Bearer \x7f"]),
      );
    }
    return headers;
  }

  #body(path: string): Bytes {
    const { random } = this;
    if (path.startsWith("/replication/")) return random.below(6) > 0 ? this.#frame(path) : this.#noise();
    if (path !== "/write" && random.below(4) > 0) return new Uint8Array();
    switch (random.below(9)) {
      case 0:
        return new Uint8Array();
      case 1:
        return this.#noise();
      case 2:
        return encoder.encode("[".repeat(1 + random.below(100_000)));
      case 3:
        return encoder.encode(
          random.pick([
            '[{"a":1},{"a":"\\u0000"}]',
            '{"a":\n1}',
            "[1,2",
            '"\\ud800"',
            "[]",
            "null",
            '{"__proto__":{}}',
          ]),
        );
      case 4: {
        const encode = random.pick([gzipSync, deflateSync, zstdCompressSync]);
        // What unfolds to much more than a batch may be.
        const content = random.below(3) === 0 ? new Uint8Array(8 * 1024 * 1024) : this.#noise();
        const packed = new Uint8Array(encode(content));
        return random.below(2) === 0 ? packed : this.mutated(packed);
      }
      case 5:
        return encoder.encode("line\n".repeat(random.below(2_000)));
      case 6:
        return new Uint8Array(random.below(20) === 0 ? 2 * 1024 * 1024 : 300).fill(random.below(256));
      default:
        return encoder.encode(
          random.pick(["one message", "\n", "\r\n\r\n", "\0\n", "a\nb\n", "ü".repeat(100) + "\n"]),
        );
    }
  }

  /** What other nodes send, now and then exactly that. */
  #frame(path: string): Bytes {
    const { random } = this;
    const from = {
      instance: random.pick(["node_2", "node_2", "node_2", "node_9"]),
      incarnation: random.pick(["badbadbad", "badbadbad", "other"]),
      run: "run1",
    };
    const chunk = `node_${1 + random.below(3)}-chunk00000000${random.below(3)}`;
    const place = { category: random.pick(["fuzzed", "never"]), chunk };
    const numbers = { size: random.below(5_000), synced: random.below(5_000), offset: random.below(5_000) };
    const text = path.endsWith("changes")
      ? encodeChangesRequest({
        from,
        cursor: random.pick(["", "run1.1.0", "x", "9".repeat(300)]),
        held: [{ ...place, ...numbers, instance: from.instance, incarnation: from.incarnation }],
        relay: random.pick([[], ["node_3"]]),
        behindBytes: random.below(100),
        waitMs: random.pick([0, 1, 50]),
      })
      : path.endsWith("fetch")
      ? encodeFetchRequest({
        from,
        wanted: [{ ...place, ...numbers }],
        bytesMax: 1 + random.below(1_000_000),
      })
      : encodeKnowsRequest({ from, ...place });
    const odd = random.below(3) > 0 ? text : text.replace(/\d+/, () => String(this.#number()));
    const bytes = encoder.encode(odd);
    return random.below(3) === 0 ? this.mutated(bytes) : bytes;
  }

  #number(): unknown {
    return this.random.pick<unknown>([0, -1, 1.5, 2 ** 53, 1e300, '"7"', null, "1e999", "[[[]]]", 4_194_304]);
  }

  #noise(): Bytes {
    const { random } = this;
    return Uint8Array.from({ length: random.below(2_000) }, () => random.below(256));
  }

  #chunked(body: Uint8Array): Bytes {
    const { random } = this;
    const parts: Uint8Array[] = [];
    for (let at = 0; at < body.length;) {
      const size = 1 + random.below(body.length - at);
      const said = random.below(20) > 0
        ? size.toString(16)
        : random.pick(["zz", "-1", "FFFFFFFFFFFFFFFFF", "", "0x5", `${size.toString(16)};ext=1`]);
      parts.push(encoder.encode(`${said}\r\n`), body.subarray(at, at + size), encoder.encode("\r\n"));
      at += size;
    }
    return concatenate([
      ...parts,
      encoder.encode(random.below(10) > 0 ? "0\r\n\r\n" : random.pick(["0\r\n", "0\r\nx: y\r\n\r\n", ""])),
    ]);
  }
}
