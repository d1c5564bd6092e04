/**
 * The calls for consumers, as requests: what each sends, and what it takes for a good answer.
 *
 * Owns the names of parameters and headers. `ChukchaClient` is the door to all of it.
 *
 * @module
 */
import { quote } from "../protocol/errors.ts";
import { checkCategory, checkChunk, checkConsumer, parseChunkName } from "../protocol/names.ts";
import { formatCursor, parseFrom } from "../protocol/position.ts";
import type { ConsumerInfo } from "../protocol/types.ts";
import { discard, takeConsumer, takeConsumers } from "./answers.ts";
import type {
  Consumed,
  ConsumedHead,
  ConsumeOptions,
  ForgetOptions,
  From,
  LeaseOptions,
  SeekOptions,
} from "./consumer_options.ts";
import type { AckOptions, CallOptions } from "./options.ts";
import { ForeignAnswer, type Transport } from "./transport.ts";

/** `GET /consume`; `undefined` if nothing came within the wait. */
export function consume(
  transport: Transport,
  category: string,
  options: ConsumeOptions,
): Promise<Consumed | undefined> {
  const { consumer, maxSize, waitMs, from, leaseMs, maxDeliveries, worker, onHead, signal, answerMs } =
    options;
  return transport.request({
    action: `consume category ${quote(checkCategory(category))} as ${quote(checkConsumer(consumer))}`,
    path: "consume",
    query: {
      category,
      consumer,
      max_size: maxSize,
      wait: waitMs,
      from: from === undefined ? undefined : formatFrom(from),
      lease: leaseMs,
      max_deliveries: maxDeliveries,
      worker,
    },
    signal,
    answerMs,
    extraMs: waitMs ?? 0,
  }, (response) => takeConsumed(response, onHead));
}

/** `POST /ack`, for a consumer or for everybody. */
export function acknowledge(transport: Transport, category: string, options: AckOptions): Promise<void> {
  const { chunk, size, consumer, offset, epoch, signal, answerMs } = options;
  const whose = consumer === undefined ? "" : ` as ${quote(checkConsumer(consumer))}`;
  return transport.request({
    action: `acknowledge chunk "${checkChunk(chunk)}" of category "${checkCategory(category)}"${whose}`,
    path: "ack",
    query: { category, consumer, chunk, offset, size, epoch },
    method: "POST",
    signal,
    answerMs,
  }, discard);
}

/** `POST /lease`. */
export function lease(transport: Transport, category: string, options: LeaseOptions): Promise<void> {
  const { consumer, chunk, offset, size, leaseMs, deliveries, signal, answerMs } = options;
  const what = leaseMs === 0 ? "give back" : "keep the lease of";
  return transport.request({
    action: `${what} chunk "${checkChunk(chunk)}" of category "${checkCategory(category)}" as ${
      quote(checkConsumer(consumer))
    }`,
    path: "lease",
    query: { category, consumer, chunk, offset, size, lease: leaseMs, deliveries },
    method: "POST",
    signal,
    answerMs,
  }, discard);
}

/** `GET /consumers`. */
export function listConsumers(
  transport: Transport,
  category: string | undefined,
  { signal }: CallOptions,
): Promise<ConsumerInfo[]> {
  const whose = category === undefined ? "" : ` of category "${checkCategory(category)}"`;
  const attempt = { action: `list the consumers${whose}`, path: "consumers", query: { category }, signal };
  return transport.request(attempt, takeConsumers);
}

/** `POST /seek`. */
export function seek(transport: Transport, category: string, options: SeekOptions): Promise<ConsumerInfo> {
  const { consumer, to, signal } = options;
  return transport.request({
    action: `move the consumer ${quote(checkConsumer(consumer))} of category "${checkCategory(category)}"`,
    path: "seek",
    query: { category, consumer, to: isPlaces(to) ? formatCursor(to) : formatFrom(to, "to") },
    method: "POST",
    signal,
  }, takeConsumer);
}

/** `DELETE /consumers`. */
export function forget(transport: Transport, category: string, options: ForgetOptions): Promise<void> {
  const { consumer, signal } = options;
  return transport.request({
    action: `forget the consumer ${quote(checkConsumer(consumer))} of category "${checkCategory(category)}"`,
    path: "consumers",
    query: { category, consumer },
    method: "DELETE",
    signal,
  }, discard);
}

/** The text of a start as it is sent; throws `invalid_parameter` if it is none. */
export function formatFrom(from: From, field = "from"): string {
  const text = from instanceof Date ? String(from.getTime()) : String(from);
  parseFrom(text, field);
  return text;
}

function isPlaces(to: SeekOptions["to"]): to is Exclude<SeekOptions["to"], From> {
  return Array.isArray(to);
}

async function takeConsumed(
  response: Response,
  onHead?: (head: ConsumedHead) => void,
): Promise<Consumed | undefined> {
  if (response.status === 204) {
    await discard(response);
    return undefined;
  }
  const head = headOf(response);
  onHead?.(head);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length === head.nextOffset - head.offset) return { ...head, bytes };
  // Not every runtime tells that an answer was cut off; asked again, it is whole.
  throw new Error(`the answer was cut off after ${bytes.length} of ${head.nextOffset - head.offset} bytes`);
}

function headOf({ headers, status }: Response): ConsumedHead {
  const chunk = headers.get("chukcha-chunk") ?? "";
  const whole = (name: string): number | undefined => {
    const text = headers.get(name);
    return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  };
  const [offset, nextOffset, epoch] = ["offset", "next-offset", "epoch"].map((name) =>
    whole(`chukcha-${name}`)
  );
  if (
    !parseChunkName(chunk) || offset === undefined || nextOffset === undefined || epoch === undefined ||
    nextOffset < offset
  ) {
    throw new ForeignAnswer("the answer does not say in its headers which messages these are", status);
  }
  const deliveries = whole("chukcha-deliveries");
  const leaseMs = whole("chukcha-lease");
  return {
    chunk,
    offset,
    nextOffset,
    epoch,
    ...deliveries === undefined ? {} : { deliveries },
    ...leaseMs === undefined ? {} : { leaseMs },
  };
}
