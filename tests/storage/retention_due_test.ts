/**
 * @module Tests of `lib/storage/retention_due.ts`.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { expired, type OwnerChunks } from "../../lib/storage/retention_due.ts";

interface TestChunk {
  readonly name: string;
  readonly size: number;
  readonly complete: boolean;
  readonly timeMs: number;
}

const NOW = 1_000;
const age = (timeMs: number): number | undefined => timeMs > NOW || timeMs <= 0 ? undefined : NOW - timeMs;

function chunks(owner: string, ...times: number[]): TestChunk[] {
  return times.map((timeMs, i) => ({ name: `${owner}${i}`, size: 10, complete: true, timeMs }));
}

/** Names of what has expired, in order. */
function names(
  owners: OwnerChunks<TestChunk>[],
  limits: { ageMs?: number; bytes?: number },
  passed?: (chunk: TestChunk) => boolean,
): string {
  const question = { ageMs: undefined, bytes: undefined, ...limits, finaliseAfterMs: 100, owners, age };
  return expired(passed ? { ...question, passed } : question).map(({ name }) => name).sort().join(" ");
}

const own = (...times: number[]): OwnerChunks<TestChunk> => ({
  chunks: chunks("a", ...times),
  silentMs: "own",
});
const other = (name: string, silentMs: number, ...times: number[]): OwnerChunks<TestChunk> => ({
  chunks: chunks(name, ...times),
  silentMs,
});

Deno.test("expired takes this node's chunks that are as old as the limit, and nobody else's", () => {
  const owners = [own(100, 500, 501, 900), other("b", 0, 1, 2, 3)];
  assertEquals(names(owners, { ageMs: 500 }), "a0 a1");
  assertEquals(names(owners, { ageMs: 99 }), "a0 a1 a2 a3");
  assertEquals(names(owners, {}), "");
});

Deno.test("expired stops at the first that is not due, so that a time that goes back takes nothing with it", () => {
  assertEquals(names([own(100, 900, 100, 200)], { ageMs: 500 }), "a0");
});

Deno.test("expired takes a chunk whose time says nothing along with the next that has one", () => {
  assertEquals(names([own(100, 5000, 0, 200, 900)], { ageMs: 500 }), "a0 a1 a2 a3");
  assertEquals(names([own(100, 5000, 900)], { ageMs: 500 }), "a0");
  assertEquals(names([own(100, 5000)], { ageMs: 500 }), "a0");
});

Deno.test("expired leaves what is not complete, whatever the rule", () => {
  const open = own(100, 200, 300);
  const owners = [{ ...open, chunks: open.chunks.with(1, { ...open.chunks[1]!, complete: false }) }];
  assertEquals(names(owners, { ageMs: 10 }), "a0 a2");
  assertEquals(names(owners, { bytes: 0 }), "a0 a2");
  assertEquals(names(owners, {}, () => true), "a0 a2");
});

Deno.test("expired decides for an owner that was silent as long as both limits say, whatever its clock said", () => {
  const gone = (silentMs: number) => [own(999), other("b", silentMs, 1, 5000)];
  assertEquals(names(gone(99), { ageMs: 50 }), "");
  assertEquals(names(gone(100), { ageMs: 50 }), "b0 b1");
  assertEquals(names(gone(100), { ageMs: 200 }), "");
  assertEquals(names(gone(200), { ageMs: 200 }), "b0 b1");
  assertEquals(names(gone(99), { bytes: 0 }), "a0");
  assertEquals(names(gone(100), { bytes: 0 }), "a0 b0 b1");
});

Deno.test("expired lets what every consumer has passed go, in order", () => {
  const done = new Set(["a0", "a1", "a3", "b0"]);
  const owners = [own(900, 901, 902, 903), other("b", 0, 900)];
  assertEquals(names(owners, {}, ({ name }) => done.has(name)), "a0 a1");
});

Deno.test("expired by size takes the oldest of all owners first, and of those what is this node's", () => {
  const owners = [own(100, 300, 500, 700), other("b", 0, 50, 200, 600)];
  // Oldest first: b0 a0 b1 a1 a2 b2 a3.
  assertEquals(names(owners, { bytes: 70 }), "");
  assertEquals(names(owners, { bytes: 60 }), "");
  assertEquals(names(owners, { bytes: 59 }), "a0");
  assertEquals(names(owners, { bytes: 35 }), "a0 a1");
  assertEquals(names(owners, { bytes: 0 }), "a0 a1 a2 a3");
});

const OWNERS = ["a", "b", "c"] as const;
interface Node {
  readonly held: Set<TestChunk>;
}

/** A cluster of three owners, each of which holds all of its own and, lagging, some of the others' newest. */
const history = fc.array(
  fc.record({
    owner: fc.constantFrom(...OWNERS),
    act: fc.constantFrom("write" as const, "write" as const, "expire" as const, "sync" as const),
    size: fc.integer({ min: 1, max: 20 }),
    from: fc.constantFrom(...OWNERS),
  }),
  { maxLength: 120, size: "max" },
);

Deno.test("expired by size, decided by three owners that lag, never takes one of the newest within the limit", () => {
  fc.assert(
    fc.property(history, fc.integer({ min: 0, max: 150 }), (events, limit) => {
      const nodes = new Map(OWNERS.map((owner): [string, Node] => [owner, { held: new Set() }]));
      const all: TestChunk[] = [];
      const deleted = new Set<TestChunk>();
      const ownedBy = (held: Iterable<TestChunk>, owner: string) =>
        [...held].filter(({ name }) => name[0] === owner);
      const decide = (owner: string): TestChunk[] => {
        const { held } = nodes.get(owner)!;
        const owners = OWNERS.map((one): OwnerChunks<TestChunk> => ({
          chunks: ownedBy(held, one).sort((x, y) => x.timeMs - y.timeMs),
          silentMs: one === owner ? "own" : 0,
        }));
        return expired({ ageMs: undefined, bytes: limit, finaliseAfterMs: 100, owners, age });
      };
      for (const { owner, act, size, from } of events) {
        const node = nodes.get(owner)!;
        if (act === "write") {
          const chunk = { name: `${owner}${all.length}`, size, complete: true, timeMs: all.length + 1 };
          all.push(chunk);
          node.held.add(chunk);
        } else if (act === "expire") {
          for (const chunk of decide(owner)) {
            node.held.delete(chunk);
            deleted.add(chunk);
            const newer = all.filter(({ timeMs }) => timeMs >= chunk.timeMs).reduce(
              (sum, { size }) => sum + size,
              0,
            );
            assert(newer > limit, `${chunk.name} went although it and what came after it are ${newer} bytes`);
          }
        } else {
          // As acknowledged sets and copies come: what the other knows of its own chunks, and what it has deleted.
          for (const chunk of ownedBy(nodes.get(from)!.held, from)) node.held.add(chunk);
          for (const chunk of ownedBy(node.held, from)) if (deleted.has(chunk)) node.held.delete(chunk);
        }
      }
      // Once everybody knows everything, one round brings the category within its limit.
      const left = all.filter((chunk) => !deleted.has(chunk));
      for (const node of nodes.values()) {
        node.held.clear();
        left.forEach((chunk) => node.held.add(chunk));
      }
      const gone = new Set(OWNERS.flatMap((owner) => decide(owner)));
      const rest = left.filter((chunk) => !gone.has(chunk)).reduce((sum, { size }) => sum + size, 0);
      assert(rest <= limit, `${rest} bytes are left`);
    }),
    { numRuns: 500 },
  );
});

Deno.test("expired costs what is due, not what is there", () => {
  const many = {
    chunks: Array.from({ length: 100_000 }, (_, i) => ({ size: 1, complete: true, timeMs: 600 + i / 1000 })),
    silentMs: "own" as const,
  };
  let asked = 0;
  const question = { ageMs: 500, bytes: undefined, finaliseAfterMs: 100, owners: [many] };
  const found = expired({ ...question, age: (timeMs: number) => (asked++, age(timeMs)) });
  assertEquals([found.length, asked], [0, 1]);
});
