/**
 * Downloads: what is left of a run that fails half-way, and that no failure goes unheard.
 *
 * @module
 */
import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { SILENT_LOG } from "../../lib/protocol/log.ts";
import { Backlog } from "../../lib/replication/backlog.ts";
import { Confirmations } from "../../lib/replication/confirmations.ts";
import { Downloads } from "../../lib/replication/downloads.ts";
import { Identities } from "../../lib/replication/identities.ts";
import type { CopyState, FetchAnswer, Peer, Piece, Wanted } from "../../lib/replication/peer.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import { countMoves } from "../support/array_moves.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { bytes, openNew } from "../storage/world.ts";

const NODE = { instance: "a", incarnation: "A", run: "1" };
const CHUNKS = ["a-chunk000000000", "a-chunk000000001"] as const;
const CONTENT = bytes("message\n");

const piece = (chunk: string): Piece => ({
  category: "web",
  chunk,
  offset: 0,
  bytes: CONTENT,
  rolling: crc32(CONTENT),
  timeMs: 1,
});

const listed = (chunk: string): CopyState => ({
  category: "web",
  chunk,
  size: CONTENT.length,
  synced: 0,
  rolling: crc32(CONTENT),
  complete: true,
  finalised: false,
});

async function setUp(fetch: (wanted: readonly Wanted[]) => Promise<FetchAnswer>) {
  const { store, disk, clock } = await openNew({ instance: "b", peers: ["a"], bootstrap: true });
  const own = { instance: "b", incarnation: "B", run: "1" };
  const identities = new Identities(own, clock, SILENT_LOG, () => {});
  const context = {
    own,
    peers: new Set(["a"]),
    store,
    clock,
    random: new SeededRandom(1),
    log: SILENT_LOG,
    identities,
    confirmations: new Confirmations(clock),
  };
  const peer: Peer = {
    instance: "a",
    url: "http://a",
    changes: () => Promise.reject(new Error("not asked")),
    fetch: (_from, wanted) => fetch(wanted),
    knows: () => Promise.reject(new Error("not asked")),
    close: () => {},
  };
  const backlog = new Backlog();
  CHUNKS.forEach((chunk, number) => backlog.set("a", number, listed(chunk), CONTENT.length));
  const changed: string[] = [];
  const downloads = new Downloads(context, peer, backlog, {
    mayTake: () => true,
    changed: (_category, chunk) => changed.push(chunk),
    settled: ({ chunk }) => backlog.delete("web", "a", CHUNKS.indexOf(chunk as typeof CHUNKS[0])),
  });
  return { store, disk, downloads, changed, backlog };
}

Deno.test("Downloads: a fetch that fails while what came before is still being put in place is heard of", async () => {
  const gate = Promise.withResolvers<void>();
  let fetches = 0;
  const { store, disk, downloads } = await setUp(() => {
    if (++fetches === 1) return Promise.resolve({ node: NODE, pieces: [piece(CHUNKS[0])], unreadable: [] });
    // The event loop comes round before anything can wait for the failure.
    setImmediate(() => setImmediate(gate.resolve));
    return Promise.reject(new Error("connection reset"));
  });
  disk.syncGate = gate.promise;
  await assertRejects(() => downloads.run(1 << 20), Error, "connection reset");
  assertEquals(downloads.peerFailed, true);
  assertEquals(store.listChunks("web"), [{ name: CHUNKS[0], complete: true, size: CONTENT.length }]);
  await store.close();
});

Deno.test("Downloads: what the peer cannot read is passed over, and left alone", async () => {
  const { store, downloads, backlog } = await setUp((wanted) => {
    const [first] = wanted;
    const unreadable = wanted.filter(({ chunk }) => chunk === CHUNKS[0]);
    const pieces = wanted.filter(({ chunk }) => chunk !== CHUNKS[0]).map(({ chunk }) => piece(chunk));
    return Promise.resolve({ node: NODE, pieces: first ? pieces : [], unreadable });
  });
  await downloads.run(1 << 20);
  assertEquals(store.listChunks("web").map(({ name }) => name), [CHUNKS[1]]);
  assertEquals(backlog.get("web", "a", 0)?.resting, true);
  assertEquals(downloads.canGoOn(), false);
  await store.close();
});

Deno.test("Downloads: what was not asked for is refused as a whole", async () => {
  const { store, downloads } = await setUp(() =>
    Promise.resolve({ node: NODE, pieces: [piece("a-chunk000000007")], unreadable: [] })
  );
  await assertRejects(() => downloads.run(1 << 20), Error, "was not asked for");
  assertEquals(store.listChunks("web"), []);
  await store.close();
});

Deno.test("Downloads: many categories are gone through at the same cost for each", async () => {
  const { store, downloads, backlog } = await setUp(() =>
    Promise.resolve({ node: NODE, pieces: [], unreadable: [] })
  );
  const lanes = 3_000;
  for (let i = 0; i < lanes; i++) {
    backlog.set("a", 0, { ...listed(CHUNKS[0]), category: `c${i}` }, CONTENT.length);
    // There is nothing to be had of them now.
    backlog.get(`c${i}`, "a", 0)!.resting = true;
  }
  const moves = await countMoves(() => downloads.run(1 << 20));
  assertLess(moves, 40 * lanes);
  await store.close();
});
