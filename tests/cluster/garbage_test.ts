/**
 * A peer that sends rubbish, lies, or nothing for ever: the nodes that ask it stay well, keep their own data to the
 * byte, and follow one another as before.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { CopyState, NodeId, Piece } from "../../lib/replication/peer.ts";
import { TestCluster } from "../support/cluster.ts";
import { eventually, pause } from "../support/eventually.ts";
import {
  altered,
  type Answering,
  changesResponse,
  endless,
  fetchResponse,
  GarbagePeer,
} from "../support/garbage_peer.ts";
import type { Member } from "../support/member.ts";
import { report } from "../support/report.ts";

const NODE: NodeId = { instance: "node_3", incarnation: "badbadbad", run: "run1" };
const LINE = new TextEncoder().encode("never written by anyone\n");
/** Answers in one manner before the next one comes: to each node about two. */
const ANSWERS_MIN = 4;
/** A node with nothing new waits before it says so. */
const NO_NEWS_MS = 50;

/** As a node that holds nothing. */
const quiet: Answering = async ({ route }) => {
  await pause(NO_NEWS_MS);
  return route === "fetch" ? fetchResponse(NODE) : changesResponse(NODE);
};

function copyOf(chunk: string, more: Partial<CopyState> = {}): CopyState {
  return {
    category: "web",
    chunk,
    size: LINE.length,
    synced: 0,
    rolling: 1,
    complete: false,
    finalised: false,
    ...more,
  };
}

function pieceOf(chunk: string, more: Partial<Piece> = {}): Piece {
  return { category: "web", chunk, offset: 0, bytes: LINE, rolling: 1, timeMs: 1_700_000_000_000, ...more };
}

/** Lists these copies, and answers fetches with these pieces. */
function lies(copies: readonly CopyState[], pieces: readonly Piece[] = []): Answering {
  return ({ route }) =>
    route === "fetch" ? fetchResponse(NODE, { pieces }) : changesResponse(NODE, { copies, pieces: [] });
}

const own = copyOf("node_3-chunk000000000");
const MANNERS: Record<string, Answering> = {
  "a page of HTML": () =>
    new Response("<!doctype html><title>It works</title>\n", { headers: { "content-type": "text/html" } }),
  "status 500": () => new Response("oh no", { status: 500 }),
  "status 502 with a page": () => new Response("<h1>Bad Gateway</h1>", { status: 502 }),
  "a redirection to itself": () =>
    new Response(null, { status: 307, headers: { location: "/replication/changes" } }),
  "nothing at all": () => new Response(null),
  "JSON of another kind": () => Response.json({ hello: "world" }),
  "JSON that is very deep": () => new Response("[".repeat(200_000) + "\n"),
  "a cut answer": async () => new Response((await changesResponse(NODE).bytes()).subarray(0, 40)),
  "an endless line": () => endless("x"),
  "endless lines": () => endless("{}\n"),
  "an endless error": () => new Response(endless("no").body, { status: 503 }),
  "bytes that pretend to be packed": () =>
    new Response("not packed at all", { headers: { "content-encoding": "gzip" } }),
  "another name": () => changesResponse({ ...NODE, instance: "node_9" }),
  "the name of who asks": ({ from }) => changesResponse({ ...NODE, instance: from?.instance ?? "node_1" }),
  "a category that is a path": () =>
    altered(changesResponse(NODE, { copies: [own] }), '"web"', '"../../evil"'),
  "an owner that is a path": () =>
    altered(changesResponse(NODE, { copies: [own] }), '["web","node_3"', '["web","../x"'),
  "a negative size": () => altered(changesResponse(NODE, { copies: [own] }), `,${LINE.length},0,`, `,-5,0,`),
  "a size that is no number": () =>
    altered(changesResponse(NODE, { copies: [own] }), `,${LINE.length},0,`, `,"9",0,`),
  "a negative chunk number": () => altered(changesResponse(NODE, { copies: [own] }), "[[0,", "[[-1,"),
  "a category of the prototype": lies([copyOf("node_3-chunk000000000", { category: "__proto__" })]),
  "bytes that do not match their checksum": lies([own], [pieceOf("node_3-chunk000000000")]),
  "bytes from the middle": lies([copyOf("node_3-chunk000000000", { size: 900 })], [
    pieceOf("node_3-chunk000000000", { offset: 100 }),
  ]),
  "bytes of a chunk that was not asked for": lies([own], [pieceOf("node_3-chunk000000077")]),
  "a longer copy of a chunk that is being written": lies([
    copyOf("node_1-chunk000000000", { size: 2 ** 40 }),
    copyOf("node_2-chunk000000000", { size: 2 ** 40 }),
  ], [pieceOf("node_1-chunk000000000"), pieceOf("node_2-chunk000000000")]),
  "another copy of the same size as a complete one": lies([
    copyOf("node_1-chunk000000000", { size: 2 ** 40, complete: true }),
  ]),
  "a listing that never ends": () => changesResponse(NODE, { more: true }),
};

async function expectWell(members: readonly Member[], manner: string, lines: string[]): Promise<number> {
  const times: number[] = [];
  for (const [i, member] of members.entries()) {
    const line = `${manner} ${member.instance} ${i}`;
    const startMs = performance.now();
    const answer = await member.askWrite("web", line + "\n", "min_sync_replicas=1&timeout=10000");
    times.push(performance.now() - startMs);
    assertEquals(answer.status, 200, `${manner}: ${answer.text}`);
    lines.push(line);
    const ready = await member.ask("/readyz");
    assertEquals(ready.status, 200, `${manner}: ${ready.text}`);
  }
  return Math.max(...times);
}

Deno.test("garbage of a peer harms neither the node that asked for it nor the others", async () => {
  await using garbage = new GarbagePeer();
  await using cluster = await TestCluster.build();
  const members = [cluster.at(0), cluster.at(1)];
  const peers = [...members.map(({ instance, url }) => `${instance}=${url}`), `node_3=${garbage.url}`].join(
    ",",
  );
  for (const member of members) {
    member.reconfigure({ peers, flags: ["--bootstrap", "--max-chunk-size", "4KiB"] });
    await member.launch();
  }
  await Promise.all(members.map((member) => member.ready()));
  const lines: string[] = [];
  await expectWell(members, "before", lines);
  let worstMs = 0;
  const isFollowed = (after: string) =>
    eventually(
      `it is followed like any other after ${after}`,
      () => Promise.all(members.map((member) => member.status())),
      (all) =>
        all.every(({ peers }) =>
          peers.every(({ reachable, last_error }) => reachable && last_error === null)
        ),
    );
  let before = "nothing";
  for (const [manner, answering] of Object.entries(MANNERS)) {
    // A peer that was well until now is not approached with caution.
    garbage.become(quiet);
    await isFollowed(before);
    before = manner;
    garbage.become(answering);
    await eventually(
      `both have met ${manner}`,
      () => garbage.answered,
      (count) => count >= ANSWERS_MIN,
    );
    worstMs = Math.max(worstMs, await expectWell(members, manner, lines));
  }
  await cluster.converged();
  for (const member of members) {
    const text = await member.readText("web");
    assertEquals(text.split("\n").slice(0, -1).toSorted(), lines.toSorted(), member.instance);
    assertEquals(await member.listCategories(), ["web"]);
    assert(!/TypeError|RangeError|ReferenceError/.test(member.output), member.output);
  }
  await cluster.sameBytes({ files: true });
  const outside = Array.from(Deno.readDirSync(`${members[0]!.dataDir}/..`), ({ name }) => name).toSorted();
  assertEquals(outside, ["node_1", "node_2"], "nothing was written outside of the data directories");
  report(
    `${Object.keys(MANNERS).length} kinds of garbage: the slowest confirmed write took ${
      Math.round(worstMs)
    } ms`,
  );

  garbage.become(quiet);
  await isFollowed("all that");
});
