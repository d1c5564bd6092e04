/**
 * Small files notice when they rot: no flipped bit says anything else than what was written.
 *
 * @module
 */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Acknowledged } from "../../lib/storage/acknowledged.ts";
import { decodeChecked, encodeChecked } from "../../lib/storage/checked_json.ts";
import { WrongDirectoryError } from "../../lib/storage/node_file.ts";
import { decodeObservedTime } from "../../lib/storage/observed_time_file.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { bytes, openNew, openOn } from "./world.ts";

const text = (content: Uint8Array): string => new TextDecoder().decode(content);

/** What each content with one bit flipped is read as; `undefined` where it is refused. */
function* rotten<T>(content: Uint8Array, read: (content: Uint8Array) => T): Generator<T | undefined> {
  for (let bit = 0; bit < content.length * 8; bit++) {
    const flipped = content.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    try {
      yield read(flipped);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      yield undefined;
    }
  }
}

Deno.test("encodeChecked: is JSON, and is read back", () => {
  for (const value of [{}, { a: [[0, 7]] }, { a: "ü", b: { c: null } }]) {
    const content = encodeChecked(value);
    assertEquals(decodeChecked(content), value);
    const { "#crc32": checksum, ...same } = JSON.parse(text(content));
    assertEquals([same, /^[0-9a-f]{8}$/.test(checksum)], [value, true]);
  }
});

Deno.test("decodeChecked: a file that a person wrote is taken as it is; one that was changed by hand says what to do", () => {
  assertEquals(decodeChecked(bytes('{ "a": 1 }')), { a: 1 });
  const changed = bytes(text(encodeChecked({ a: 1 })).replace("1", "2"));
  assertStringIncludes(
    assertThrows(() => decodeChecked(changed), SyntaxError).message,
    "take the field #crc32 out",
  );
  for (
    const content of [
      "",
      "null",
      "[]",
      "7",
      '{"#crc33":"00000000"}',
      '{"#crc32":"00000000"}',
      '{"a":1,"#crc32":7}',
    ]
  ) {
    assertThrows(() => decodeChecked(bytes(content)), SyntaxError);
  }
});

Deno.test("Acknowledged.decode: no flipped bit acknowledges anything else", () => {
  const acknowledged = new Acknowledged();
  for (const number of [0, 1, 2, 41, 43]) acknowledged.add("node_1", number);
  const all = acknowledged.with("node_2", { ranges: [[0, 7]], sizes: new Map([[7, 80]]) })!;
  const right = text(all.encode());
  assertEquals(text(Acknowledged.decode(all.encode()).encode()), right);
  for (const read of rotten(all.encode(), (content) => text(Acknowledged.decode(content).encode()))) {
    if (read !== undefined) assertEquals(read, right);
  }
});

Deno.test("decodeObservedTime: no flipped bit lets time pass", () => {
  const time = {
    totalMs: 5_000,
    stretches: [{ fromMs: 10, toMs: 20, startMs: 0 }],
    heard: new Map([["n", 4_000]]),
  };
  const { observed, ...value } = {
    format: 1,
    observed: 5_000,
    stretches: [[10, 20, 0]],
    heard: { n: 4_000 },
  };
  const content = encodeChecked({ format: 1, observed, stretches: value.stretches, heard: value.heard });
  assertEquals(decodeObservedTime(content), time);
  for (const read of rotten(content, decodeObservedTime)) if (read) assertEquals(read, time);
});

Deno.test("Store: a node.json or a list of acknowledged chunks with a flipped bit refuses the start, or says the same", async () => {
  const first = await openNew();
  await first.store.append("c", bytes("x\n"), false);
  await first.store.finish();
  const [chunk] = first.store.listChunks("c");
  await first.store.acknowledge("c", chunk!.name, chunk!.size);
  await first.store.close();
  for (const path of ["node.json", "c/acknowledged.json"]) {
    const content = first.disk.peek(path);
    let refused = 0;
    for (let byte = 0; byte < content.length; byte++) {
      const flipped = content.slice();
      flipped[byte]! ^= 4;
      const disk = new MemoryDisk();
      disk.plant("node.json", first.disk.peek("node.json"));
      disk.plant("c/acknowledged.json", first.disk.peek("c/acknowledged.json"));
      disk.plant(path, flipped);
      try {
        const { store } = await openOn(disk);
        assertEquals([store.identity, store.isAcknowledged("c", store.identity.instance, 0)], [
          first.store.identity,
          true,
        ]);
        await store.close();
      } catch (error) {
        if (!(error instanceof WrongDirectoryError)) throw error;
        refused++;
      }
    }
    // The last byte is the end of the line; a letter more or less in the name of the field takes only the check away.
    assertEquals(refused >= content.length - 10, true, `${path}: ${refused} of ${content.length}`);
  }
});
