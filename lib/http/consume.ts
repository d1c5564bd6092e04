/**
 * `GET /consume`, `POST /lease`, `GET` and `DELETE /consumers`, `POST /seek`, and `/ack` with a consumer: what named
 * consumers need. What each means is in `docs/consumers.md`; all of it is done in `lib/consumers/`.
 *
 * @module
 */
import { deadCategory } from "../consumers/dead_letter.ts";
import type { Handed, Want } from "../consumers/source.ts";
import { ChukchaError, quote } from "../protocol/errors.ts";
import {
  CONSUME_WAIT_MS_MAX,
  LEASE_MS_MAX,
  MAX_DELIVERIES_MAX,
  READ_BYTES_DEFAULT,
  READ_BYTES_MAX,
  WORKER_CHARS_MAX,
} from "../protocol/limits.ts";
import { checkCategory, checkChunk, checkConsumer } from "../protocol/names.ts";
import { type ChunkPosition, type From, parseCursor, parseFrom } from "../protocol/position.ts";
import { Params } from "./params.ts";
import type { Caller } from "./rights.ts";
import type { Service } from "./service.ts";

const BYTES = { "content-type": "application/octet-stream", "cache-control": "no-store" };
const OFFSET = { min: 0, max: Number.MAX_SAFE_INTEGER };
const MAYBE_OFFSET = { ...OFFSET, default: -1 };
const MAX_SIZE = { min: 1, max: READ_BYTES_MAX, default: READ_BYTES_DEFAULT };
const WAIT_MS = { min: 0, max: CONSUME_WAIT_MS_MAX, default: 0 };
const LEASE_MS = { min: 0, max: LEASE_MS_MAX, default: 0 };
const RENEWED_MS = { min: 0, max: LEASE_MS_MAX };
const DELIVERIES = { min: 0, max: MAX_DELIVERIES_MAX, default: 0 };

/** Handles `GET /consume`: the next messages of a consumer. `HEAD` judges the parameters and hands out nothing. */
export async function consume(service: Service, request: Request): Promise<Response> {
  const params = Params.of(request.url);
  const category = checkCategory(params.required("category"));
  const consumer = checkConsumer(params.required("consumer"));
  const want = wantOf(params, category);
  const waitMs = params.integer("wait", WAIT_MS);
  const from = parseFrom(params.text("from") ?? "earliest");
  if (request.method === "HEAD") return new Response(null, { headers: BYTES });
  const { dispensers, traffic } = service;
  // Looking at the signal costs 3 µs: only who has to wait is asked for it.
  const handed = await dispensers.consume(category, consumer, from, want, waitMs, () => request.signal);
  if (!handed) return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
  let body: BodyInit;
  try {
    body = bodyOf(service, handed);
  } catch (error) {
    dispensers.untake(category, consumer, handed);
    throw error;
  }
  traffic.read(category, handed.size);
  return new Response(body, { headers: headersOf(handed, want) });
}

/** `/ack` of what one consumer has processed. */
export async function acknowledgeFor(
  { dispensers }: Service,
  request: Request,
  params: Params,
  consumer: string,
): Promise<Response> {
  const category = checkCategory(params.required("category"));
  const chunk = checkChunk(params.required("chunk"));
  const to = params.integer("size", OFFSET);
  const from = params.integer("offset", MAYBE_OFFSET);
  const epoch = params.integer("epoch", MAYBE_OFFSET);
  checkConsumer(consumer);
  checkRange(from, to);
  if (request.method === "HEAD") return new Response(null, { status: 200 });
  await dispensers.acknowledge(category, consumer, {
    chunk,
    to,
    from: from < 0 ? undefined : from,
    epoch: epoch < 0 ? undefined : epoch,
  });
  return Response.json({ chunk, acknowledged: true });
}

/** Handles `POST /lease`: a worker keeps what it was lent for longer, or gives it back. */
export function lease({ dispensers }: Service, request: Request): Response {
  const params = Params.of(request.url);
  const category = checkCategory(params.required("category"));
  const consumer = checkConsumer(params.required("consumer"));
  const chunk = checkChunk(params.required("chunk"));
  const offset = params.integer("offset", OFFSET);
  const size = params.integer("size", OFFSET);
  const leaseMs = params.integer("lease", RENEWED_MS);
  const deliveries = params.integer("deliveries", MAYBE_OFFSET);
  checkRange(offset, size);
  dispensers.lending(category, consumer)
    .lease(chunk, offset, size, leaseMs, deliveries < 0 ? undefined : deliveries);
  return Response.json({ chunk, offset, size, lease: leaseMs });
}

/** Handles `GET /consumers`, those of categories that the caller may read, and `DELETE /consumers`. */
export async function consumers(service: Service, request: Request, caller: Caller): Promise<Response> {
  const { dispensers, store } = service;
  const params = Params.of(request.url);
  if (request.method === "DELETE") {
    const category = checkCategory(params.required("category"));
    const consumer = checkConsumer(params.required("consumer"));
    await dispensers.forget(category, consumer);
    return Response.json({ category, consumer, forgotten: true });
  }
  const asked = params.text("category");
  const categories = asked === undefined
    ? store.consumedCategories().filter((category) => caller.may("read", category))
    : [checkCategory(asked)];
  return Response.json(await dispensers.list(categories));
}

/** Handles `POST /seek`: moves a consumer. */
export async function seek({ dispensers }: Service, request: Request): Promise<Response> {
  const params = Params.of(request.url);
  const category = checkCategory(params.required("category"));
  const consumer = checkConsumer(params.required("consumer"));
  return Response.json(await dispensers.seek(category, consumer, targetOf(params.required("to"))));
}

function wantOf(params: Params, category: string): Want {
  const maxDeliveries = params.integer("max_deliveries", DELIVERIES);
  if (maxDeliveries > 0 && deadCategory(category) === undefined) {
    throw new ChukchaError(
      "invalid_parameter",
      `max_deliveries: ${maxDeliveries} cannot be kept in the category ${
        quote(category)
      }: dead letters would go to the ` +
        "same name with .dead behind it, which is too long, or they are dead letters already; leave it out",
    );
  }
  const worker = params.text("worker") ?? "";
  if (worker.length > WORKER_CHARS_MAX) {
    throw new ChukchaError(
      "invalid_parameter",
      `worker: ${quote(worker)} has ${worker.length} characters, more than ${WORKER_CHARS_MAX}`,
    );
  }
  const maxSize = params.integer("max_size", MAX_SIZE);
  return { maxSize, leaseMs: params.integer("lease", LEASE_MS), maxDeliveries, worker };
}

function targetOf(text: string): From | ChunkPosition[] {
  if (text.includes("-chunk")) return parseCursor(text, "to");
  return parseFrom(text, "to");
}

function checkRange(offset: number, size: number): void {
  if (offset <= size) return;
  throw new ChukchaError("invalid_parameter", `offset: ${offset} lies behind size, which is ${size}`);
}

function bodyOf({ streams }: Service, { body }: Handed): BodyInit {
  // The runtime itself says how long a body is that is in memory.
  return body instanceof Uint8Array ? body as Uint8Array<ArrayBuffer> : streams.open("consume", body);
}

function headersOf({ chunk, offset, size, epoch, deliveries, body }: Handed, { leaseMs }: Want): HeadersInit {
  const headers: Record<string, string> = {
    ...BYTES,
    "chukcha-chunk": chunk,
    "chukcha-offset": String(offset),
    "chukcha-next-offset": String(offset + size),
    "chukcha-epoch": String(epoch),
  };
  if (deliveries > 0) {
    headers["chukcha-deliveries"] = String(deliveries);
    headers["chukcha-lease"] = String(leaseMs);
  }
  if (!(body instanceof Uint8Array)) headers["content-length"] = String(size);
  return headers;
}
