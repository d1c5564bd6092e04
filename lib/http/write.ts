/**
 * `POST /write`: a batch of messages, from the socket to the append queue. Most are small and plain, and go another, shorter
 * way: see `small_write.ts`.
 *
 * Parameters are judged before the body is read, so that a refused write costs nothing. Nothing is stored unless the
 * whole body arrived.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { Demand } from "../replication/confirmations.ts";
import { within } from "../replication/within.ts";
import type { BatchSource } from "../storage/batch_journal.ts";
import type { Stored } from "../storage/batches.ts";
import { type Body, takeBody } from "./body.ts";
import { isJsonType, mayBeJson } from "./json_messages.ts";
import { countMessages, toBatch } from "./messages.ts";
import type { Service } from "./service.ts";

/** Handles `POST` and `PUT /write`. */
export async function write(service: Service, request: Request): Promise<Response> {
  const startMs = service.clock.monotonic();
  const { category, demand, source } = service.targets.of(request.url);
  if (service.draining) throw draining();
  const refusal = service.refusal();
  if (refusal) throw refusal;

  let body: Body;
  try {
    body = await takeBody(request, service);
  } catch (error) {
    throw cutOff(error, service);
  }
  let batch: Uint8Array;
  try {
    // Looking at a header costs 0.4 µs: only bodies that could be JSON of more than one line are worth it.
    const isJson = mayBeJson(body.bytes) && isJsonType(request.headers.get("content-type"));
    batch = toBatch(body, isJson, service);
  } catch (error) {
    body.release();
    throw error;
  }
  // Before it is stored: from then on its memory is not counted any more.
  const messages = countMessages(batch);
  const { sync, replicas } = demand;
  let stored: Stored;
  if (sync || replicas > 0) {
    stored = await storeBatch(service, category, batch, demand, () => body.release(), source);
  } else {
    // As storeBatch would: most writes come this way, and save two promises.
    try {
      stored = await service.store.append(category, batch, false, source);
    } finally {
      body.release();
    }
  }
  if (stored.known) {
    const { chunk, offset, size } = stored;
    return Response.json({ chunk, offset, size });
  }
  if (stored.size > 0) {
    service.traffic.wrote(category, messages, stored.size, service.clock.monotonic() - startMs);
  }
  return Response.json(stored);
}

/**
 * Stores one batch of whole messages, and resolves when what is demanded of it holds; of one that was stored before, too.
 *
 * @param stored called when the batch's bytes are needed no more
 * @param source who sent it, if it is to be stored only once
 */
export async function storeBatch(
  service: Pick<Service, "store" | "clock" | "confirm">,
  category: string,
  batch: Uint8Array,
  { replicas, sync, timeoutMs }: Demand,
  stored: () => void,
  source?: BatchSource,
): Promise<Stored> {
  const { store, clock } = service;
  if (!sync && replicas === 0) {
    try {
      return await store.append(category, batch, false, source);
    } finally {
      stored();
    }
  }
  const startMs = clock.monotonic();
  const appended = store.append(category, batch, sync, source).finally(stored);
  const result = await within(clock, appended, timeoutMs, late);
  // What is processed already was on other nodes, or is needed by nobody.
  if (replicas > 0 && result.size > 0 && result.known !== "processed") {
    const leftMs = startMs + timeoutMs - clock.monotonic();
    await service.confirm(category, result, { replicas, sync, timeoutMs: leftMs });
  }
  return result;
}

function draining(cause?: unknown): ChukchaError {
  return new ChukchaError("draining", "write: this node is shutting down; retry on another", { cause });
}

/** A body that ended early while the node shuts down: that is its own doing, and not to be answered with a 400. */
export function cutOff(error: unknown, { draining: ends }: Pick<Service, "draining">): unknown {
  return ends && error instanceof ChukchaError && error.code === "invalid_body" ? draining(error) : error;
}

/** What a write is answered that was not stored in time. */
export function late(afterMs: number): ChukchaError {
  return new ChukchaError("not_confirmed", `write: not stored within ${afterMs} ms`, { written: "maybe" });
}
