/**
 * The table that replication judges by, row by row, and what must hold of it for any two copies.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type LocalCopy, NOTHING, plan, type RemoteCopy } from "../../lib/replication/plan.ts";

const local = (given: Partial<LocalCopy>): LocalCopy => ({ ...NOTHING, ...given });
const remote = (given: Partial<RemoteCopy>): RemoteCopy => ({
  size: 10,
  synced: 0,
  rolling: 7,
  complete: false,
  ...given,
});

Deno.test("plan: each row of the table", () => {
  const same = { size: 10, rolling: 7 };
  const rows: [LocalCopy, RemoteCopy, string][] = [
    [NOTHING, remote({}), "download"],
    [NOTHING, remote({ complete: true }), "download"],
    [NOTHING, remote({ size: 0 }), "nothing"],
    [local({ size: 4, rolling: 3 }), remote({}), "download"],
    [local({ size: 4, complete: true }), remote({}), "nothing"],
    [local({ size: 4, complete: true }), remote({ complete: true }), "nothing"],
    [local({ size: 4, active: true }), remote({}), "conflict"],
    [local(same), remote({}), "nothing"],
    [local(same), remote({ complete: true }), "complete"],
    [local({ ...same, complete: true }), remote({ complete: true }), "nothing"],
    [local({ ...same, active: true }), remote({ complete: true }), "complete"],
    [local({ ...same, rolling: 8 }), remote({}), "conflict"],
    [local({ ...same, rolling: 8 }), remote({ complete: true }), "conflict"],
    [local({ ...same, synced: 5 }), remote({ synced: 10 }), "sync"],
    [local({ ...same, synced: 10 }), remote({ synced: 10 }), "nothing"],
    [local({ size: 12 }), remote({}), "nothing"],
    [local({ size: 12 }), remote({ complete: true }), "cut"],
    [local({ size: 12, complete: true }), remote({ complete: true }), "cut"],
    [local({ size: 12, active: true }), remote({ complete: true }), "cut"],
  ];
  for (const [mine, theirs, step] of rows) {
    assertEquals(plan(mine, theirs), step, JSON.stringify([mine, theirs]));
  }
});

Deno.test("plan: two nodes that hold the same have nothing to do, and no step goes in circles", () => {
  const content = "abcdefghij";
  const copy = fc.record({ size: fc.nat(10), complete: fc.boolean() }).map(({ size, complete }) => ({
    size,
    complete: complete && size > 0,
    synced: 0,
    // Any function of the prefix will do for a checksum.
    rolling: content.slice(0, size).length * 31,
    active: false,
  }));
  fc.assert(fc.property(copy, copy, (one, other) => {
    let [a, b] = [one, other];
    const apply = (mine: LocalCopy, theirs: LocalCopy): LocalCopy => {
      switch (plan(mine, theirs)) {
        case "download":
        case "cut":
          return { ...theirs, complete: plan(mine, theirs) === "cut" };
        case "complete":
          return { ...mine, complete: true };
        case "conflict":
          throw new Error("prefixes do not conflict");
        default:
          return mine;
      }
    };
    for (let i = 0; i < 6; i++) [a, b] = i % 2 === 0 ? [apply(a, b), b] : [a, apply(b, a)];
    assertEquals(a, b);
    assert(a.complete === (one.complete || other.complete));
  }));
});
