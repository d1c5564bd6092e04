/**
 * Identifiers for events, so that whoever reads them can tell a duplicate: delivery is at least once.
 *
 * They are UUIDs of version 7 (RFC 9562): the first 48 bits are the time in milliseconds, so that they sort by creation,
 * and databases append instead of scattering.
 *
 * ```text
 *  0                   1                   2                   3
 * |                    milliseconds since 1970                    |
 * |  milliseconds (16 bits)       | 0111  |    counter (12 bits)  |
 * | 10|                counter (14 bits)  |      random           |
 * |                             random                            |
 * ```
 *
 * Within one process each is greater than the one before: ids of one millisecond count up, from a random number whose first
 * bit is 0, so that there is always room; when the counter is full, or the clock goes back, they keep the time and count
 * on into the next millisecond, ahead of the clock. 48 random bits are new with each id: processes that count alike do
 * not meet.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";

/** How many values the counter has. */
const COUNTS = 2 ** 26;
/** Random bytes that are fetched at once: each call costs more than the bytes. */
const POOL_BYTES = 4096;
/** Of one id: 4 for the first count, 6 for the end. */
const RANDOM_BYTES = 10;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const UUID_7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

const pool = new Uint8Array(POOL_BYTES);
let poolAt = POOL_BYTES;
let lastMs = 0;
let counter = 0;

/** Where the id of an event is kept. */
export interface EventIdOptions<P extends string = string> {
  /**
   * Name of the property.
   *
   * @default "event_id"
   */
  readonly property?: P;
}

/**
 * A new identifier: unique everywhere, and greater, also as text, than all that this process made before.
 *
 * @returns a UUID of version 7, in lower case
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { eventId } from "./mod.ts";
 *
 * const [first, second] = [eventId(), eventId()];
 * assert(first < second);
 * ```
 */
export function eventId(): string {
  if (poolAt + RANDOM_BYTES > POOL_BYTES) {
    crypto.getRandomValues(pool);
    poolAt = 0;
  }
  const nowMs = Date.now();
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = firstCount();
  } else if (++counter === COUNTS) {
    lastMs++;
    counter = firstCount();
  }
  const random = poolAt + 4;
  poolAt += RANDOM_BYTES;
  const high = Math.floor(lastMs / 2 ** 16);
  const byte = (value: number): string => HEX[value & 0xff]!;
  return byte(high >>> 24) + byte(high >>> 16) + byte(high >>> 8) + byte(high) + "-" +
    byte(lastMs >>> 8) + byte(lastMs) + "-" +
    byte(0x70 | counter >>> 22) + byte(counter >>> 14) + "-" +
    byte(0x80 | counter >>> 8 & 0x3f) + byte(counter) + "-" +
    byte(pool[random]!) + byte(pool[random + 1]!) + byte(pool[random + 2]!) +
    byte(pool[random + 3]!) + byte(pool[random + 4]!) + byte(pool[random + 5]!);
}

/** Random, with the first bit 0. */
function firstCount(): number {
  const four = pool[poolAt]! << 24 | pool[poolAt + 1]! << 16 | pool[poolAt + 2]! << 8 | pool[poolAt + 3]!;
  return four >>> 7;
}

/**
 * The time at which an identifier was made, as its maker's clock had it.
 *
 * @param id of {@linkcode eventId}, or any other UUID of version 7
 * @returns exact to the millisecond; a little ahead where very many were made at once, or the clock went back
 * @throws ChukchaError `invalid_parameter` if it is no UUID of version 7
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { eventTime } from "./mod.ts";
 *
 * const time = eventTime("019aab1c-4e80-7a3c-9f21-5b0c6a1d2e3f");
 * assertEquals(time.toISOString(), "2025-11-22T10:29:10.400Z");
 * ```
 */
export function eventTime(id: string): Date {
  const [, high, low] = UUID_7.exec(id) ?? [];
  if (high !== undefined) return new Date(parseInt(high + low!, 16));
  throw new ChukchaError("invalid_parameter", `id: ${quote(id)} is not a UUID of version 7`);
}

/**
 * The event with an identifier of its own, by which whoever reads it can tell that it came before. Give it to an event
 * where it comes to be, not where it is sent again: an event that has one, of whatever form, keeps it.
 *
 * @param event any object that is sent as JSON; it is left as it is
 * @param options where the identifier is kept
 * @returns a copy with the identifier as its first property; the event itself if it has one
 * @throws ChukchaError `invalid_parameter` if the event is a list or makes its own JSON, or has something else there
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { withEventId } from "./mod.ts";
 *
 * const event = withEventId({ user: 1 });
 * assertEquals(Object.keys(event), ["event_id", "user"]);
 * assertEquals(withEventId(event).event_id, event.event_id);
 *
 * const order = withEventId({ amount: 5 }, { property: "id" });
 * assertEquals(typeof order.id, "string");
 * ```
 */
export function withEventId<T extends object, const P extends string = "event_id">(
  event: T,
  options: EventIdOptions<P> = {},
): Omit<T, P> & { readonly [K in P]: string } {
  const property: string = options.property ?? "event_id";
  if (Array.isArray(event) || ArrayBuffer.isView(event) || "toJSON" in event) {
    throw new ChukchaError(
      "invalid_parameter",
      "event: a list, or what makes its own JSON, has no place for an id; give one to the object that is sent",
    );
  }
  const present = (event as Readonly<Record<string, unknown>>)[property];
  type Event = Omit<T, P> & { readonly [K in P]: string };
  if (typeof present === "string" && present !== "") return event as unknown as Event;
  if (present === undefined || present === null) {
    const id = eventId();
    // Twice: to be the first property, and not to be undone by one that has no value.
    return { [property]: id, ...event, [property]: id } as unknown as Event;
  }
  throw new ChukchaError(
    "invalid_parameter",
    `event: its ${quote(property)} is ${
      quote(String(present))
    }, not a text that could be its id; name another property`,
  );
}
