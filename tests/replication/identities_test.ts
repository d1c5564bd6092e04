/**
 * Who may speak for a name: restarts, new disks, copied disks, and two nodes that are both live.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { NODE_LIVE_MS } from "../../lib/protocol/limits.ts";
import { SILENT_LOG } from "../../lib/protocol/log.ts";
import { Identities } from "../../lib/replication/identities.ts";
import { FakeClock } from "../support/fake_clock.ts";

const OWN = { instance: "a", incarnation: "A", run: "1" };
const id = (incarnation: string, run: string, instance = "b") => ({ instance, incarnation, run });

function setUp() {
  const clock = new FakeClock();
  const replaced: string[] = [];
  const identities = new Identities(OWN, clock, SILENT_LOG, (instance) => replaced.push(instance));
  const refused = (...which: Parameters<typeof id>): string => {
    const error = assertThrows(() => identities.observe(id(...which)), ChukchaError);
    assertEquals(error.code, "name_in_use");
    return error.message;
  };
  return { clock, identities, replaced, refused };
}

Deno.test("Identities: a restart is believed at once, and what ran before is not any more", () => {
  const { identities, replaced, refused } = setUp();
  identities.observe(id("X", "1"));
  identities.observe(id("X", "2"));
  assertEquals(replaced, ["b"]);
  refused("X", "1");
  identities.observe(id("X", "2"));
  assertEquals(replaced, ["b"]);
});

Deno.test("Identities: a message of a dead run that comes late does not lock the living one out", () => {
  const { identities, refused, clock } = setUp();
  identities.observe(id("X", "2"));
  identities.observe(id("X", "1"));
  refused("X", "2");
  clock.advance(NODE_LIVE_MS);
  identities.observe(id("X", "2"));
});

Deno.test("Identities: another disk under a live name is refused, under a silent one it is believed", () => {
  const { identities, refused, clock, replaced } = setUp();
  identities.observe(id("X", "1"));
  refused("Y", "9");
  clock.advance(NODE_LIVE_MS);
  identities.observe(id("Y", "9"));
  assertEquals(replaced, ["b"]);
  assertEquals(identities.incarnationOf("b"), "Y");
  refused("X", "1");
  clock.advance(NODE_LIVE_MS - 1);
  refused("X", "1");
});

Deno.test("Identities: a node whose request is being answered is live, unless it has hung up", () => {
  const { identities, refused, clock } = setUp();
  identities.observe(id("X", "1"));
  const release = identities.hold(id("X", "1"));
  clock.advance(10 * NODE_LIVE_MS);
  refused("Y", "9");
  release(false);
  refused("Y", "9");
  const [first, second] = [identities.hold(id("X", "1")), identities.hold(id("X", "1"))];
  first(true);
  refused("Y", "9");
  second(true);
  identities.observe(id("Y", "9"));
});

Deno.test("Identities: its own name is refused to everyone, itself included", () => {
  const { identities, refused } = setUp();
  assertEquals(refused("Z", "7", "a").includes("called"), true);
  const mirror = assertThrows(() => identities.observe(OWN), ChukchaError);
  assertEquals(mirror.message.includes("leads back"), true);
});

Deno.test("Identities: hearsay keeps a node from being taken for gone", () => {
  const { identities, clock } = setUp();
  clock.advance(1_000);
  assertEquals(identities.silentMs("c"), 1_000);
  identities.hearsay(new Map([["c", 400]]));
  assertEquals(identities.silentMs("c"), 400);
  identities.hearsay(new Map([["c", 900]]));
  assertEquals(identities.silentMs("c"), 400);
  identities.observe(id("X", "1"));
  clock.advance(50);
  assertEquals(identities.heard(), new Map([["c", 450], ["b", 50]]));
});
