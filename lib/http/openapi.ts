/**
 * The HTTP interface as an OpenAPI 3.1 document: what `/openapi.json` answers.
 *
 * Owns: the operations that people and programs may use. Refuses: routes between nodes, which are free to change.
 *
 * Invariant: `OPENAPI_ROUTES` are the routes of the application, which a test compares. `HEAD` goes wherever `GET` does
 * and is not listed.
 *
 * @module
 */
import {
  CONSUMED_HEADERS,
  json,
  type JsonObject,
  PARAMETERS,
  parameters,
  refusals,
  schema,
  SCHEMAS,
  SECURITY_SCHEMES,
  WRITE_BODY,
} from "./openapi_parts.ts";

const TEXT = { description: "Yes.", content: { "text/plain": { schema: { type: "string" } } } };
/** Of routes that ask for a right, where there are tokens. */
const DOOR = ["unauthenticated", "forbidden"] as const;
const READ_REFUSALS = [...DOOR, "invalid_parameter", "disk_failed", "draining"] as const;

function write(operationId: string): JsonObject {
  return {
    operationId,
    summary: "Append a batch of messages, whole or not at all",
    description:
      "A category is made by its first write. An empty body is 200 and writes nothing. With producer and " +
      "sequence, a batch that this node has stored before is not stored again, and answered with its first place.",
    parameters: parameters(
      "category",
      "sync_each_write",
      "min_sync_replicas",
      "timeout",
      "producer",
      "sequence",
      "content_encoding",
    ),
    requestBody: WRITE_BODY,
    responses: {
      200: json("Stored, and readable from this node.", schema("WriteResult")),
      ...refusals(
        ...DOOR,
        "invalid_parameter",
        "invalid_body",
        "sequence_reused",
        "too_large",
        "unsupported_encoding",
        "overloaded",
        "disk_full",
        "disk_failed",
        "draining",
        "not_joined",
        "not_confirmed",
      ),
    },
  };
}

function acknowledge(operationId: string): JsonObject {
  return {
    operationId,
    summary: "Say that a complete chunk was processed; it is deleted on every node",
    description:
      "A chunk that is acknowledged already is a 200 again. With consumer: says that this consumer has " +
      "processed the bytes from offset up to size, or the piece that ends at size and was handed out to it, or, if it " +
      "never used leases, all of the chunk before size; nothing is deleted for others.",
    parameters: parameters("category", "chunk", "size", "acking_consumer", "from_offset", "epoch"),
    responses: {
      200: json("Acknowledged.", schema("Acknowledged")),
      ...refusals(
        ...READ_REFUSALS,
        "chunk_not_found",
        "consumer_not_found",
        "not_complete",
        "not_leased",
        "position_moved",
        "behind",
        "disk_full",
        "overloaded",
      ),
    },
  };
}

const PATHS = {
  "/write": { post: write("write"), put: write("writeByPut") },
  "/read": {
    get: {
      operationId: "read",
      summary: "Read whole messages of one chunk",
      parameters: parameters("category", "chunk", "off", "max_size"),
      responses: {
        200: {
          description: "Messages from off on. An empty body: nothing more yet.",
          content: { "application/octet-stream": { schema: schema("Messages") } },
        },
        ...refusals(...READ_REFUSALS, "invalid_offset", "chunk_not_found", "damaged"),
      },
    },
  },
  "/ack": { get: acknowledge("ackByGet"), post: acknowledge("ack") },
  "/listChunks": {
    get: {
      operationId: "listChunks",
      summary: "List the chunks of a category",
      parameters: parameters("category"),
      responses: {
        200: json("Sorted by name, without those that are acknowledged. Empty for an unknown category.", {
          type: "array",
          items: schema("ChunkInfo"),
        }),
        ...refusals(...DOOR, "invalid_parameter"),
      },
    },
  },
  "/listCategories": {
    get: {
      operationId: "listCategories",
      summary: "List the categories",
      responses: {
        200: json("Names of those that the caller may read, sorted.", {
          type: "array",
          items: schema("Category"),
        }),
        ...refusals(...DOOR),
      },
    },
  },
  "/tail": {
    get: {
      operationId: "tail",
      summary: "Follow a category without end",
      description:
        "The category need not exist yet. Lines, or events for those who accept text/event-stream.",
      parameters: parameters("category", "from", "cursor", "last_event_id"),
      responses: {
        200: {
          description: "An endless stream. The id of an event is the cursor behind its messages.",
          content: {
            "text/plain": { schema: schema("Messages") },
            "text/event-stream": { schema: { type: "string" } },
          },
        },
        ...refusals(...READ_REFUSALS, "overloaded"),
      },
    },
  },
  "/consume": {
    get: {
      operationId: "consume",
      summary: "Take the next messages of a consumer",
      description:
        "Those that it has not acknowledged; whole messages of one chunk. The category need not exist yet; " +
        "the consumer is made by its first use.",
      parameters: parameters(
        "category",
        "consumer",
        "max_size",
        "wait",
        "from",
        "lease",
        "max_deliveries",
        "worker",
      ),
      responses: {
        200: {
          description: "Messages.",
          headers: CONSUMED_HEADERS,
          content: { "application/octet-stream": { schema: schema("Messages") } },
        },
        204: { description: "None came within the wait." },
        ...refusals(
          ...READ_REFUSALS,
          "invalid_offset",
          "consumer_not_found",
          "damaged",
          "overloaded",
          "disk_full",
          "not_joined",
        ),
      },
    },
  },
  "/lease": {
    post: {
      operationId: "lease",
      summary: "Keep what was lent for longer, or give it back",
      parameters: parameters(
        "category",
        "consumer",
        "chunk",
        "lent_offset",
        "size",
        "lease_ms",
        "deliveries",
      ),
      responses: {
        200: json("The lease ends so many milliseconds from now.", schema("Lease")),
        ...refusals(...DOOR, "invalid_parameter", "not_leased"),
      },
    },
  },
  "/consumers": {
    get: {
      operationId: "listConsumers",
      summary: "List the consumers, and how far each is behind",
      parameters: parameters("some_category"),
      responses: {
        200: json("By category and name; without a category those of all that the caller may read.", {
          type: "array",
          items: schema("ConsumerInfo"),
        }),
        ...refusals(...DOOR, "invalid_parameter"),
      },
    },
    delete: {
      operationId: "forgetConsumer",
      summary: "Forget a consumer",
      parameters: parameters("category", "consumer"),
      responses: {
        200: json("Forgotten.", schema("Forgotten")),
        ...refusals(...READ_REFUSALS, "consumer_not_found", "disk_full", "overloaded"),
      },
    },
  },
  "/seek": {
    post: {
      operationId: "seek",
      summary: "Move a consumer",
      description: "One that is new begins there. What is on lease is handed out anew.",
      parameters: parameters("category", "consumer", "to"),
      responses: {
        200: json("As it stands now.", schema("ConsumerInfo")),
        ...refusals(...READ_REFUSALS, "chunk_not_found", "behind", "overloaded", "disk_full", "not_joined"),
      },
    },
  },
  "/livez": {
    get: {
      operationId: "livez",
      security: [{}],
      summary: "Does the process answer?",
      responses: { 200: TEXT, ...refusals() },
    },
  },
  "/readyz": {
    get: {
      operationId: "readyz",
      description: "Where there are tokens, reasons are told to those with the right admin.",
      summary: "Does the node take reads and writes now?",
      parameters: parameters("verbose"),
      responses: { 200: TEXT, ...refusals("disk_failed", "draining") },
    },
  },
  "/status": {
    get: {
      operationId: "status",
      summary: "How the node is, and what its settings survive",
      responses: {
        200: {
          description: "JSON, or a page for those who prefer text/html.",
          content: {
            "application/json": { schema: schema("NodeStatus") },
            "text/html": { schema: { type: "string" } },
          },
        },
        ...refusals(...DOOR),
      },
    },
  },
  "/metrics": {
    get: {
      operationId: "metrics",
      summary: "The node's numbers, for Prometheus",
      responses: {
        200: {
          description: "The text format, version 0.0.4.",
          content: { "text/plain": { schema: { type: "string" } } },
        },
        ...refusals(...DOOR),
      },
    },
  },
  "/openapi.json": {
    get: {
      operationId: "openapi",
      security: [{}],
      summary: "This document",
      responses: { 200: json("OpenAPI 3.1.", { type: "object" }), ...refusals() },
    },
  },
} satisfies Record<string, Record<string, JsonObject>>;

/** The document. Its version is that of the interface, not of the program. */
export const OPENAPI: JsonObject = {
  openapi: "3.1.0",
  info: {
    title: "Chukcha",
    version: "1.0.0",
    description:
      "An easy distributed event bus. Any node takes writes; every node ends up with every message. " +
      "Unknown parameters are ignored; one that is present but malformed is a 400. " +
      "Every 503 passes by itself and carries Retry-After.",
    license: { name: "MIT", identifier: "MIT" },
  },
  servers: [{ url: "/" }],
  paths: PATHS,
  // Nothing is shown to a node that asks for nothing.
  security: [{}, { bearer: [] }, { basic: [] }],
  components: { schemas: SCHEMAS, parameters: PARAMETERS, securitySchemes: SECURITY_SCHEMES },
};

/** A route that the document describes. */
export interface OpenapiRoute {
  /** Upper case. */
  readonly method: string;
  readonly path: string;
}

/** Every route of the document, in its order. */
export const OPENAPI_ROUTES: readonly OpenapiRoute[] = Object.entries(PATHS).flatMap(([path, operations]) =>
  Object.keys(operations).map((method) => ({ method: method.toUpperCase(), path }))
);
