/**
 * @module Tests of `lib/consumers/pieces.ts` and `piece.ts`: leases, what came back, and what is counted of them.
 */
import { assert, assertEquals } from "@std/assert";
import { Meter } from "../../lib/consumers/meter.ts";
import { Piece } from "../../lib/consumers/piece.ts";
import { Pieces } from "../../lib/consumers/pieces.ts";
import { DELIVERIES_TOLD_MAX, LEASE_CHECK_MS } from "../../lib/protocol/limits.ts";

const delivery = (atMs: number) => ({ atMs, worker: "w" });
const piece = (from: number, to: number) => new Piece("n", 0, "n-chunk000000000", from, to);
const ranges = (pieces: Iterable<Piece>) => [...pieces].map(({ from, to }) => [from, to]);

Deno.test("Pieces.expire takes back what is due, in order of its time, and nothing before", () => {
  const totals = new Meter();
  const pieces = new Pieces(totals);
  pieces.lend(piece(0, 10), 300, delivery(0));
  pieces.lend(piece(10, 20), 100, delivery(0));
  pieces.lend(piece(20, 30), 200, delivery(0));
  assertEquals([pieces.dueMs, pieces.leasedBytes, totals.leases], [100, 30, 3]);
  assertEquals([pieces.expire(99), pieces.back.length], [0, 0]);
  assertEquals([pieces.expire(250), ranges(pieces.back)], [2, [[10, 20], [20, 30]]]);
  assertEquals([pieces.leasedBytes, totals.leases, totals.pieces], [10, 1, 3]);
  assertEquals(pieces.expire(300), 1);
  assertEquals([pieces.dueMs, pieces.leasedBytes, totals.leases], [Infinity, 0, 0]);
});

Deno.test("Pieces.expire looks at all of them only so often, however they are due", () => {
  const pieces = new Pieces(new Meter());
  for (let i = 0; i < 50; i++) pieces.lend(piece(i, i + 1), 100 + i, delivery(0));
  let looks = 0;
  for (let now = 100; pieces.leasedBytes > 0; now++) looks += pieces.expire(now) > 0 ? 1 : 0;
  assert(looks <= 1 + Math.ceil(50 / LEASE_CHECK_MS), `${looks} looks`);
});

Deno.test("Pieces.acknowledged cuts what it covers in part, wherever that is", () => {
  const totals = new Meter();
  const pieces = new Pieces(totals);
  pieces.lend(piece(0, 10), 100, delivery(0));
  const back = piece(10, 20);
  pieces.lend(back, 100, delivery(0));
  pieces.giveBack(back);
  pieces.acknowledged("n-chunk000000000", 8, 12);
  assertEquals(ranges(pieces.all()).toSorted(), [[0, 8], [12, 20]]);
  assertEquals([ranges(pieces.back), pieces.leasedBytes], [[[12, 20]], 8]);
  pieces.acknowledged("n-chunk000000000", 14, 16);
  assertEquals(ranges(pieces.back), [[12, 14], [16, 20]]);
  assertEquals(pieces.back.map(({ deliveries }) => deliveries), [1, 1]);
  pieces.acknowledged("n-chunk000000000", 0, 20);
  assertEquals([pieces.size, pieces.back.length, totals.pieces, totals.leases], [0, 0, 0, 0]);
});

Deno.test("Piece.history has the first and the last deliveries, and deliveries counts all", () => {
  const one = piece(0, 1);
  for (let i = 0; i < 100; i++) one.delivered(delivery(i));
  const half = DELIVERIES_TOLD_MAX / 2;
  assertEquals(one.deliveries, 100);
  assertEquals(one.history.map(({ atMs }) => atMs), [
    ...Array.from({ length: half }, (_, i) => i),
    ...Array.from({ length: half }, (_, i) => 100 - half + i),
  ]);
});
