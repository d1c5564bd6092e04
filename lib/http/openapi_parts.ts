/**
 * What the operations of the HTTP interface share: schemas, parameters, and answers that refuse.
 *
 * Limits, defaults and error codes come from where the program itself takes them; none is typed again. The patterns of
 * names are, in the dialect of JSON schemas, and a test compares them.
 *
 * @module
 */
import { ERROR_STATUS, type ErrorCode } from "../protocol/errors.ts";
import {
  BATCH_BYTES_MAX_DEFAULT,
  CONSUME_WAIT_MS_MAX,
  CONTENT_ENCODINGS_MAX,
  LEASE_MS_MAX,
  MAX_DELIVERIES_MAX,
  MESSAGE_BYTES_MAX_DEFAULT,
  READ_BYTES_DEFAULT,
  READ_BYTES_MAX,
  RETRY_AFTER_S,
  STATUS_CONSUMERS_MAX,
  WORKER_CHARS_MAX,
  WRITE_TIMEOUT_MS_DEFAULT,
  WRITE_TIMEOUT_MS_MAX,
} from "../protocol/limits.ts";

/** A JSON value that is an object. */
export type JsonObject = { readonly [key: string]: unknown };

const count = { type: "integer", minimum: 0 };
const text = { type: "string" };
const yes = { type: "boolean" };

function object(properties: JsonObject, optional: readonly string[] = []): JsonObject {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required };
}

function described(schema: JsonObject, description: string): JsonObject {
  return { ...schema, description };
}

/** `components.schemas` */
export const SCHEMAS: Record<string, JsonObject> = {
  Category: { type: "string", pattern: "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", examples: ["web.access-log"] },
  Chunk: {
    type: "string",
    pattern: "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}-chunk[0-9]{9}$",
    examples: ["node_1-chunk000000042"],
  },
  Messages: {
    type: "string",
    format: "binary",
    description: "Messages, each ended by \\n. Any other byte may be part of one.",
  },
  WriteResult: object({
    chunk: described(text, "Where the batch was stored; empty if the batch was empty."),
    offset: described(count, "Offset of the first byte of the batch within the chunk."),
    size: described(count, "Bytes stored, each message with its \\n."),
  }),
  Acknowledged: object({ chunk: { $ref: "#/components/schemas/Chunk" }, acknowledged: { const: true } }),
  ChunkInfo: object({
    name: { $ref: "#/components/schemas/Chunk" },
    complete: described(yes, "Its owner appends no more."),
    size: described(count, "Readable bytes."),
    damaged: described({ const: true }, "Some of its bytes fail their checksum on this node."),
  }, ["damaged"]),
  Consumer: { type: "string", pattern: "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", examples: ["search.indexer"] },
  ConsumerInfo: object({
    category: { $ref: "#/components/schemas/Category" },
    consumer: { $ref: "#/components/schemas/Consumer" },
    epoch: described(count, "Raised by each seek."),
    lag_bytes: described(count, "Readable bytes that it has not acknowledged, on this node."),
    lag_chunks: described(count, "Chunks that these bytes belong to."),
    leased_bytes: described(count, "How many of them are on lease from this node."),
    positions: described({
      type: "array",
      items: object({ chunk: { $ref: "#/components/schemas/Chunk" }, offset: count }),
    }, "Per owner, the first place that it has not acknowledged."),
  }),
  Lease: object({
    chunk: { $ref: "#/components/schemas/Chunk" },
    offset: described(count, "Where the piece begins."),
    size: described(count, "Where it ends."),
    lease: described(count, "Milliseconds from now; 0: it was given back."),
  }),
  Forgotten: object({
    category: { $ref: "#/components/schemas/Category" },
    consumer: { $ref: "#/components/schemas/Consumer" },
    forgotten: { const: true },
  }),
  HealthCheck: object({ name: text, ok: yes, message: text }),
  PeerStatus: object({
    instance: text,
    url: text,
    reachable: described(yes, "It answered when it was last asked."),
    since_ms: described(count, "How long it has been so."),
    behind_bytes: described(count, "Bytes that this node lacks of what the peer holds, as far as it knows."),
    behind_chunks: described(count, "Chunks that these bytes belong to."),
    lag_bytes: described(
      { type: ["integer", "null"], minimum: 0 },
      "Bytes that the peer said it lacks of what this node holds; null as long as it said nothing.",
    ),
    last_error: described({ type: ["string", "null"] }, "What went wrong when it was last asked in vain."),
  }),
  NodeStatus: object({
    instance: text,
    incarnation: text,
    version: text,
    state: { enum: ["joining", "serving", "draining"] },
    uptime_ms: count,
    promise: described(text, "What the current settings survive, and what they do not."),
    healthy: yes,
    checks: { type: "array", items: { $ref: "#/components/schemas/HealthCheck" } },
    categories: count,
    chunks: count,
    bytes: count,
    consumers: object({
      count,
      behind: {
        ...described(
          { type: "array", maxItems: STATUS_CONSUMERS_MAX },
          "Those that are furthest behind, the largest lag first; /consumers has all.",
        ),
        items: object({
          category: text,
          consumer: text,
          lag_bytes: count,
          lag_chunks: count,
          leased_bytes: count,
        }),
      },
    }),
    peers: { type: "array", items: { $ref: "#/components/schemas/PeerStatus" } },
    disk: object({ path: text, free_bytes: count, total_bytes: count }),
    scrub: object({
      interval_ms: described(
        count,
        "Over which a round over all complete chunks is spread; 0 if none is made.",
      ),
      last_round_ms: described(
        { type: ["integer", "null"], minimum: 0 },
        "When the last round ended, in milliseconds since 1970; null before the first has.",
      ),
      chunks: described(count, "Looked at since the start."),
      bytes: count,
      damaged: described(count, "Chunks that were found damaged since the start."),
      healed: described(count, "Those of them that are whole again."),
      unhealed: described(count, "Chunks that are damaged now."),
    }),
    open: object({
      files: count,
      tails: count,
      body_bytes: count,
      connections: described({ type: ["integer", "null"], minimum: 0 }, "Null where nobody knows."),
    }),
    settings: { type: "object", additionalProperties: { type: ["string", "number", "boolean"] } },
  }),
  Error: object({
    error: object({
      code: { enum: Object.keys(ERROR_STATUS) },
      message: described(text, "The field or action, the value and the rule."),
      written: described(
        { enum: ["no", "maybe"] },
        "Whether the messages of a refused write may have been stored nevertheless: a retry may then duplicate them.",
      ),
    }),
  }),
};

function query(name: string, required: boolean, description: string, schema: JsonObject): JsonObject {
  return { name, in: "query", required, description, schema };
}

/** `components.parameters` */
export const PARAMETERS = {
  category: query("category", true, "A named stream of messages.", { $ref: "#/components/schemas/Category" }),
  some_category: query("category", false, "A named stream of messages.", {
    $ref: "#/components/schemas/Category",
  }),
  consumer: query("consumer", true, "A named reader with a place of its own.", {
    $ref: "#/components/schemas/Consumer",
  }),
  acking_consumer: query(
    "consumer",
    false,
    "Who has processed them; left out: everybody is done with the chunk.",
    {
      $ref: "#/components/schemas/Consumer",
    },
  ),
  chunk: query("chunk", true, "Name of a chunk, as it is listed.", { $ref: "#/components/schemas/Chunk" }),
  off: query("off", false, "Offset to read from: where a message begins.", { ...count, default: 0 }),
  max_size: query(
    "max_size",
    false,
    "Most bytes to return. Must have room for the next message.",
    { type: "integer", minimum: 1, maximum: READ_BYTES_MAX, default: READ_BYTES_DEFAULT },
  ),
  size: query(
    "size",
    true,
    "Where what was processed ends: the size of the chunk, as it is listed, or chukcha-next-offset.",
    count,
  ),
  from_offset: query(
    "offset",
    false,
    "Where it begins, as chukcha-offset said; only with consumer. Whoever uses leases should send it.",
    count,
  ),
  epoch: query(
    "epoch",
    false,
    "As chukcha-epoch said; only with consumer. After a seek the ack is a 409 then.",
    count,
  ),
  lent_offset: query("offset", true, "Where the piece begins, as chukcha-offset said.", count),
  wait: query("wait", false, "Milliseconds to wait for messages if there are none.", {
    ...count,
    maximum: CONSUME_WAIT_MS_MAX,
    default: 0,
  }),
  lease: query(
    "lease",
    false,
    "Milliseconds that nobody else is given these messages. 0: they are not lent, and handed out as often as is asked.",
    { ...count, maximum: LEASE_MS_MAX, default: 0 },
  ),
  lease_ms: query("lease", true, "Milliseconds from now until the lease ends; 0 gives the piece back.", {
    ...count,
    maximum: LEASE_MS_MAX,
  }),
  deliveries: query(
    "deliveries",
    false,
    "As chukcha-deliveries said: a 409 if they were handed out to somebody else meanwhile.",
    count,
  ),
  max_deliveries: query(
    "max_deliveries",
    false,
    "What was lent so often and came back is cut in halves, down to single messages, which go to <category>.dead. " +
      "0: without bound.",
    { ...count, maximum: MAX_DELIVERIES_MAX, default: 0 },
  ),
  worker: query("worker", false, "Who asks, for people.", { ...text, maxLength: WORKER_CHARS_MAX }),
  to: query(
    "to",
    true,
    "earliest, latest, milliseconds since 1970, a time like 2026-11-22T10:00:00Z, or places: " +
      "<chunk>:<offset>,…; owners that are not named stay where they are then.",
    text,
  ),
  sync_each_write: query(
    "sync_each_write",
    false,
    "1: answer once the batch survives a power loss of the machine. Default: the node's setting.",
    { enum: [0, 1] },
  ),
  min_sync_replicas: query(
    "min_sync_replicas",
    false,
    "Answer once this many nodes besides this one hold the batch. Default: the node's setting.",
    count,
  ),
  timeout: query(
    "timeout",
    false,
    "Milliseconds that replicas may take to confirm.",
    { ...count, maximum: WRITE_TIMEOUT_MS_MAX, default: WRITE_TIMEOUT_MS_DEFAULT },
  ),
  producer: query(
    "producer",
    false,
    "Who writes: a name that nobody else uses for this category. With sequence, a retry is stored once.",
    { $ref: "#/components/schemas/Category" },
  ),
  sequence: query(
    "sequence",
    false,
    "Number of the batch, chosen by the producer, another one for each batch. With producer.",
    { ...count, maximum: Number.MAX_SAFE_INTEGER },
  ),
  from: query(
    "from",
    false,
    "earliest, latest, milliseconds since 1970, or a time like 2026-11-22T10:00:00Z.",
    { ...text, default: "earliest" },
  ),
  cursor: query(
    "cursor",
    false,
    "Go on behind this place, the id of an event of an earlier tail; from is ignored then.",
    text,
  ),
  verbose: query("verbose", false, "Present: each check in a line of text, whatever the outcome.", text),
  last_event_id: { ...query("Last-Event-ID", false, "As cursor.", text), in: "header" },
  content_encoding: {
    ...query(
      "Content-Encoding",
      false,
      `Up to ${CONTENT_ENCODINGS_MAX} of gzip, deflate (as zlib or raw), zstd.`,
      text,
    ),
    in: "header",
  },
} satisfies Record<string, JsonObject>;

/** `components.securitySchemes` */
export const SECURITY_SCHEMES: Record<string, JsonObject> = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description:
      "A token of the node's --tokens-file. Each has rights: write for /write; read for /read, /tail, " +
      "/listChunks, /listCategories, /ack, and all of consumers; admin for /status and /metrics; the first two in its categories.",
  },
  basic: { type: "http", scheme: "basic", description: "The same token as password; any user name." },
};

/** References to some of `PARAMETERS`. */
export function parameters(...names: (keyof typeof PARAMETERS)[]): JsonObject[] {
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}

/** Headers of messages that were handed out to a consumer. */
export const CONSUMED_HEADERS: JsonObject = {
  "chukcha-chunk": { description: "The chunk that they are of.", schema: text },
  "chukcha-offset": { description: "Where they begin.", schema: count },
  "chukcha-next-offset": { description: "Where they end: the size of an ack.", schema: count },
  "chukcha-epoch": { description: "Raised by each seek.", schema: count },
  "chukcha-deliveries": {
    description: "How often they were handed out, this time included; of those lent.",
    schema: count,
  },
  "chukcha-lease": { description: "Milliseconds that they are lent; of those lent.", schema: count },
};

/** The body of a write. */
export const WRITE_BODY: JsonObject = {
  description:
    "Messages, each ended by \\n; the last one may lack it. Unless the node is set otherwise, a message has " +
    `at most ${MESSAGE_BYTES_MAX_DEFAULT} bytes, and a batch ${BATCH_BYTES_MAX_DEFAULT} once decoded. ` +
    "As application/json, a top-level array is one message per element, and an object is one message. " +
    "All other types are lines.",
  content: {
    "text/plain": { schema: { $ref: "#/components/schemas/Messages" } },
    "application/x-ndjson": { schema: { $ref: "#/components/schemas/Messages" } },
    "application/octet-stream": { schema: { $ref: "#/components/schemas/Messages" } },
    "application/json": { schema: {} },
  },
};

/** An answer with a JSON body. */
export function json(description: string, schema: JsonObject): JsonObject {
  return { description, content: { "application/json": { schema } } };
}

/** A reference to one of `SCHEMAS`. */
export function schema(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}

/** Answers that refuse, by status, for the codes that an operation has; `internal` is always one of them. */
export function refusals(...codes: ErrorCode[]): JsonObject {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of [...codes, "internal" as const]) {
    const status = ERROR_STATUS[code];
    byStatus.set(status, [...byStatus.get(status) ?? [], code]);
  }
  return Object.fromEntries(Array.from(byStatus, ([status, those]) => {
    const answer = json(`code: ${those.join(", ")}`, schema("Error"));
    return [status, status === 503 ? { ...answer, headers: { "Retry-After": RETRY_AFTER } } : answer];
  }));
}

const RETRY_AFTER = { description: "Seconds.", schema: { type: "integer", const: RETRY_AFTER_S } };
