/**
 * Identifiers of events: unique, in order, and never changed once they are there.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ChukchaError, eventId, eventTime, withEventId } from "../../lib/client/mod.ts";

const UUID_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A clock that says what it is told. */
function fakeDate(nowMs: number) {
  const real = Date.now;
  const clock = { nowMs, [Symbol.dispose]: () => void (Date.now = real) };
  Date.now = () => clock.nowMs;
  return clock;
}

Deno.test("eventId makes UUIDs of version 7 that are all different, and sort as they were made", () => {
  let last = "";
  const before = Date.now();
  for (let i = 0; i < 300_000; i++) {
    const id = eventId();
    if (!(id > last)) throw new Error(`${id} behind ${last}`);
    last = id;
  }
  assertMatch(last, UUID_7);
  const time = eventTime(last).getTime();
  assert(time >= before && time <= Date.now() + 1, `${time}`);
});

Deno.test("eventId counts on when the clock stands still or goes back, and follows it when it goes on", () => {
  using clock = fakeDate(Date.now() + 1_000_000);
  const ids = [eventId(), eventId()];
  clock.nowMs -= 500_000;
  ids.push(eventId(), eventId());
  clock.nowMs += 500_001;
  ids.push(eventId());
  assertEquals(ids.toSorted(), ids);
  assertEquals(eventTime(ids[3]!), eventTime(ids[0]!));
  assertEquals(eventTime(ids[4]!).getTime(), clock.nowMs);
});

Deno.test("eventTime takes any UUID of version 7, and nothing else", () => {
  // The example of RFC 9562.
  const time = eventTime("017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
  assertEquals(time.toISOString(), "2022-02-22T19:22:22.000Z");
  for (const id of ["", "x", crypto.randomUUID(), "017F22E279B07CC398C4DC0C0C07398F"]) {
    assertThrows(() => eventTime(id), ChukchaError, "is not a UUID of version 7");
  }
});

Deno.test("withEventId puts an id first and leaves the event as it is", () => {
  const event = { user: 1, event_id: undefined };
  const first = withEventId(event);
  assertEquals(Object.keys(first), ["event_id", "user"]);
  assertMatch(first.event_id, UUID_7);
  assertEquals(event, { user: 1, event_id: undefined });
  assert(withEventId({ event_id: null }).event_id !== null);
  assert(first.event_id < withEventId({}).event_id);
});

Deno.test("withEventId keeps an id that is there, of whatever form", () => {
  const event = { event_id: "01JDXYZ", user: 1 };
  assertEquals(withEventId(event), event);
  assertEquals(withEventId({ id: "a", event_id: 5 }, { property: "id" }).id, "a");
});

Deno.test("withEventId refuses what has no place for an id", () => {
  for (const event of [[], new Uint8Array(), new Date(), { event_id: 5 }, { event_id: "" }]) {
    assertThrows(() => withEventId(event), ChukchaError, "event: ");
  }
});
