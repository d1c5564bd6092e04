/** @module The newest bytes in memory: `lib/storage/recent.ts`, alone and as tails meet it. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { RECENT_BYTES_MAX } from "../../lib/protocol/limits.ts";
import { Recent } from "../../lib/storage/recent.ts";
import { bytes, openNew, text } from "./world.ts";

Deno.test("Recent: whatever it returns is what was published, from the start of a message to the end of one", () => {
  const batch = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(
    fc.array(fc.array(batch, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
    fc.nat(),
    fc.nat(),
    (groups, a, b) => {
      const recent = new Recent();
      let all = "";
      const seen: [Uint8Array, string][] = [];
      for (const group of groups) {
        const batches = group.map((lengths) => lengths.map((n) => "x".repeat(n) + "\n").join(""));
        recent.add(all.length, batches.map((batch) => ({ bytes: bytes(batch) })));
        all += batches.join("");
        const offset = a % all.length;
        const end = Math.min(all.length, offset + 1 + b % 5_000);
        const got = recent.read(offset, end);
        if (!got) continue;
        assert(offset === 0 || all[offset - 1] === "\n", "from the start of a message");
        const expected = all.slice(offset, all.lastIndexOf("\n", end - 1) + 1);
        assertEquals(text(got), expected);
        seen.push([got, expected]);
      }
      for (const [got, expected] of seen) assertEquals(text(got), expected, "and it stays so");
    },
  ));
});

Deno.test("Recent holds what fits, from the beginning of a group, and nothing of a group that is too large", () => {
  const recent = new Recent();
  const small = "0123456\n";
  recent.add(100, [{ bytes: bytes(small) }]);
  recent.add(108, [{ bytes: bytes(small) }, { bytes: bytes("89\n") }]);
  assertEquals(text(recent.read(100, 119)!), `${small}${small}89\n`);
  assertEquals(text(recent.read(108, 118)!), small, "whole messages");
  assertEquals(recent.read(108, 115), undefined, "none fits");
  assertEquals(recent.read(109, 119), undefined, "inside of a message");
  assertEquals(recent.read(99, 119), undefined, "before it");
  assertEquals(recent.read(108, 120), undefined, "behind it");
  recent.add(119, [{ bytes: new Uint8Array(RECENT_BYTES_MAX + 1).fill(10) }]);
  assertEquals(recent.read(119, 120), undefined);
  const next = 120 + RECENT_BYTES_MAX;
  recent.add(next, [{ bytes: bytes(small) }]);
  assertEquals(text(recent.read(next, next + 8)!), small);
});

Deno.test("Recent: a tail is given what is published without a look at the file, and a read without a tail looks", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("first\n"), false);
  const tail = store.tail("c", "latest");
  const path = `c/${store.listChunks("c")[0]!.name}`;
  const { chunk } = await store.append("c", bytes("second\n"), false);
  disk.rot(path, 8 * 7, 13);
  assertEquals(text((await tail.next())!.bytes), "second\n");
  tail.close();
  await store.append("c", bytes("third\n"), false);
  let refused: unknown;
  try {
    await store.read("c", chunk, 6, 100);
  } catch (error) {
    refused = error;
  }
  assertEquals((refused as { code?: string })?.code, "damaged");
  await store.close();
});
