/**
 * The hard cases of replication, each brought about with real processes: what is there in the end, and how long it took
 * from the moment when the last obstacle was gone.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chunkName, parseChunkName } from "../../lib/protocol/names.ts";
import { COMMIT, decodeRecord, RECORD_BYTES } from "../../lib/storage/index_record.ts";
import { linesOf, listingOf, TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts, Member } from "../support/member.ts";
import { report } from "../support/report.ts";
import { percentile } from "../support/writers.ts";

/** Chunks of this size are complete after few messages. */
const SMALL_CHUNKS = ["--max-chunk-size", "4KiB"];
const PAD = "p".repeat(80);

/** Writes numbered messages, each in a batch of its own; returns them. */
async function writeMany(member: Member, category: string, name: string, count: number): Promise<string[]> {
  const lines = Array.from({ length: count }, (_, i) => `${name} ${i} ${PAD}`);
  for (const line of lines) await member.write(category, line + "\n");
  return lines;
}

/** Every message of a node, in order of their text. */
async function allLines(member: Member): Promise<string[]> {
  return (await linesOf(member)).flatMap(({ lines }) => lines).toSorted();
}

/** Asserts that every live node has these messages, each once, and nothing else. */
async function assertExactly(cluster: TestCluster, lines: readonly string[]): Promise<void> {
  const expected = lines.toSorted();
  for (const member of cluster.live) assertEquals(await allLines(member), expected, member.instance);
}

/** Waits until every node reaches every other. */
async function allReachable(cluster: TestCluster): Promise<void> {
  await eventually(
    "everybody reaches everybody",
    () => Promise.all(cluster.members.map((member) => member.status())),
    (all) => all.every(({ peers }) => peers.every(({ reachable }) => reachable)),
  );
}

/** Whether every chunk is complete that is not the last of its owner and category. */
function formerAreComplete(
  chunks: readonly { category: string; name: string; complete: boolean }[],
): boolean {
  return chunks.every(({ category, name, complete }) => {
    const { instance, number } = parseChunkName(name)!;
    return complete || !chunks.some((other) => {
      const id = parseChunkName(other.name)!;
      return other.category === category && id.instance === instance && id.number > number;
    });
  });
}

Deno.test("hard case: a node that joins late gets everything, and nothing that was acknowledged", async () => {
  await using cluster = await TestCluster.start({ flags: [...SMALL_CHUNKS, "--bootstrap"], started: 2 });
  const [one, two, late] = cluster.members as [Member, Member, Member];
  await Promise.all([one.ready(), two.ready()]);
  await Promise.all([writeMany(one, "web", "one", 200), writeMany(two, "web", "two", 200)]);
  await cluster.converged();
  const acked = (await one.listChunks("web")).filter(({ complete }) => complete).slice(0, 3);
  for (const { name, size } of acked) assertEquals((await two.ack("web", name, size)).status, 200);
  await cluster.converged();
  late.reconfigure({ flags: SMALL_CHUNKS });
  const startMs = performance.now();
  await late.start();
  const joinedMs = Math.round(performance.now() - startMs);
  const ms = await cluster.converged();
  const { bytes } = await cluster.sameBytes({ files: true });
  const names = (await late.listChunks("web")).map(({ name }) => name);
  assertEquals(acked.filter(({ name }) => names.includes(name)), []);
  report(`late joiner: ready after ${joinedMs} ms, all ${bytes} bytes ${ms} ms later`);
});

Deno.test("hard case: a node that returns after acknowledgements resurrects nothing", async () => {
  await using cluster = await TestCluster.start({ flags: SMALL_CHUNKS });
  const [one, two, away] = cluster.members as [Member, Member, Member];
  for (const member of cluster.members) await writeMany(member, "web", member.instance, 120);
  await cluster.converged();
  await away.kill();
  const acked = (await one.listChunks("web")).filter(({ complete }) => complete);
  assert(new Set(acked.map(({ name }) => parseChunkName(name)!.instance)).size === 3, "of every owner");
  for (const [i, { name, size }] of acked.entries()) {
    const answer = await (i % 2 === 0 ? one : two).ack("web", name, size);
    assertEquals(answer.status, 200, answer.text);
  }
  await writeMany(one, "web", "meanwhile", 50);
  await cluster.converged();
  const gone = new Set(acked.map(({ name }) => name));
  await away.start();
  let seen = 0;
  const watched = new AbortController();
  const watching = (async () => {
    while (!watched.signal.aborted) {
      const lists = await Promise.all([one.listChunks("web"), two.listChunks("web")]);
      seen += lists.flat().filter(({ name }) => gone.has(name)).length;
    }
  })();
  const ms = await cluster.converged();
  watched.abort();
  await watching;
  assertEquals(seen, 0, "none of them was back for a moment");
  assertEquals((await away.listChunks("web")).filter(({ name }) => gone.has(name)), []);
  const files = Array.from(Deno.readDirSync(`${away.dataDir}/web`), ({ name }) => name);
  await eventually(
    "their files are removed",
    () => files.length === 0 ? [] : Array.from(Deno.readDirSync(`${away.dataDir}/web`), ({ name }) => name),
    (names) => !names.some((name) => gone.has(name.replace(/\.idx$/, ""))),
  );
  await cluster.sameBytes();
  report(`back after ${acked.length} acknowledgements: the same everywhere ${ms} ms after it was ready`);
});

/** Cuts a chunk back to the group commit that is `part` of all of them from its start, as a power loss does. */
function cutBack(member: Member, category: string, chunk: string, part: number): number {
  const path = `${member.dataDir}/${category}/${chunk}`;
  const index = Deno.readFileSync(`${path}.idx`);
  const ends: { at: number; end: number }[] = [];
  for (let at = 0; at < index.length; at += RECORD_BYTES) {
    const record = decodeRecord(index, at)!;
    if (record.flags & COMMIT) ends.push({ at: at + RECORD_BYTES, end: record.end });
  }
  const { at, end } = ends[Math.floor(ends.length * part)]!;
  assert(end < Deno.statSync(path).size, "something is lost");
  Deno.truncateSync(`${path}.idx`, at);
  Deno.truncateSync(path, end);
  return end;
}

Deno.test("hard case: an owner that lost its unsynced tail takes it back from a replica, then completes the chunk", async () => {
  await using cluster = await TestCluster.start();
  const [owner, other] = cluster.members as [Member, Member, Member];
  const lines = await writeMany(owner, "web", "before", 100);
  await cluster.converged();
  const [before] = await other.listChunks("web");
  await owner.kill();
  const kept = cutBack(owner, "web", before!.name, 0.4);
  await owner.start();
  lines.push(...await writeMany(owner, "web", "after", 10));
  const ms = await cluster.converged(undefined, formerAreComplete);
  const [back, next] = await owner.listChunks("web");
  assertEquals(back, { ...before!, complete: true });
  assert(next!.name > back!.name, "writes meanwhile went to a new chunk");
  await assertExactly(cluster, lines);
  await cluster.sameBytes({ files: true });
  report(`owner without its tail: ${before!.size - kept} bytes back and complete in ${ms} ms`);
});

Deno.test("hard case: an empty disk under a known name takes no writes before it has asked, and uses no number twice", async () => {
  await using cluster = await TestCluster.start({ flags: SMALL_CHUNKS });
  const [lost, , third] = cluster.members as [Member, Member, Member];
  const lines = await writeMany(lost, "web", "before", 150);
  await cluster.converged();
  const used = (await third.listChunks("web")).map(({ name }) => parseChunkName(name)!.number);
  await lost.kill();
  await third.kill();
  await lost.wipe();
  await lost.launch();
  // One peer answers, the other does not: that is not enough.
  await eventually(
    "it has seen one peer",
    () => lost.status(),
    ({ peers }) => peers[0]!.reachable,
  );
  const refused = await lost.askWrite("web", "too early\n");
  assertEquals([refused.status, refused.error?.code, refused.error?.written], [503, "not_joined", "no"]);
  assertStringIncludes(refused.error!.message, "node_3");
  assertEquals((await lost.status()).state, "joining");
  assertEquals((await lost.ask("/readyz")).status, 503);
  assertEquals((await lost.ask("/livez")).status, 200);
  await third.start();
  const startMs = performance.now();
  await lost.ready();
  const joinedMs = Math.round(performance.now() - startMs);
  assertEquals((await lost.status()).state, "serving");
  const result = await lost.write("web", `after ${PAD}\n`);
  lines.push(`after ${PAD}`);
  assert(parseChunkName(result.chunk)!.number > Math.max(...used), `${result.chunk} was not used before`);
  const ms = await cluster.converged(undefined, formerAreComplete);
  await assertExactly(cluster, lines);
  await cluster.sameBytes({ files: true });
  report(`empty disk: joined ${joinedMs} ms after the last peer was ready, all bytes back ${ms} ms later`);
});

Deno.test("hard case: the chunks of an owner that never comes back are completed, and can be acknowledged", async () => {
  await using cluster = await TestCluster.start({ flags: ["--finalize-after", "2s"] });
  const [gone, two] = cluster.members as [Member, Member, Member];
  const lines = await writeMany(gone, "web", "gone", 20);
  await cluster.converged();
  await gone.kill();
  const startMs = performance.now();
  await cluster.converged(undefined, (chunks) => chunks.every(({ complete }) => complete));
  const ms = Math.round(performance.now() - startMs);
  await assertExactly(cluster, lines);
  await cluster.sameBytes();
  const [{ name, size } = { name: "none", size: 0 }] = await two.listChunks("web");
  assertEquals((await two.ack("web", name, size)).status, 200);
  await cluster.converged(undefined, (chunks) => chunks.length === 0);
  report(
    `owner gone for good: its chunk complete on both others ${ms} ms after its death (--finalize-after 2s)`,
  );
});

Deno.test("hard case: an owner that comes back with a tail nobody had publishes it as new messages", async (t) => {
  for (const acknowledged of [false, true]) {
    const what = acknowledged ? "acknowledged meanwhile" : "still there";
    await t.step(`its chunk was completed without the tail, and is ${what}`, async () => {
      await using cluster = await TestCluster.start({ proxied: true, flags: ["--finalize-after", "2s"] });
      const [owner, two] = cluster.members as [Member, Member, Member];
      const known = await writeMany(owner, "web", "known", 20);
      await cluster.converged();
      const [prefix] = await two.listChunks("web");
      cluster.proxy(1, 0).set({ kind: "drop" });
      cluster.proxy(2, 0).set({ kind: "drop" });
      const tail = await writeMany(owner, "web", "tail", 10);
      await owner.kill();
      await cluster.converged(undefined, (chunks) => chunks.every(({ complete }) => complete));
      assertEquals(await two.listChunks("web"), [{ ...prefix!, complete: true }]);
      if (acknowledged) {
        assertEquals((await two.ack("web", prefix!.name, prefix!.size)).status, 200);
        await cluster.converged(undefined, (chunks) => chunks.length === 0);
      }
      cluster.heal();
      await owner.start();
      const isBack = (chunks: readonly { name: string; size: number }[]) => {
        const cut = chunks.find(({ name }) => name === prefix!.name);
        return (acknowledged ? cut === undefined : cut?.size === prefix!.size) &&
          chunks.some(({ name }) => name > prefix!.name);
      };
      const ms = await cluster.converged(undefined, isBack);
      await assertExactly(cluster, acknowledged ? tail : [...known, ...tail]);
      await cluster.sameBytes({ files: true });
      report(`owner back with an unreplicated tail (${what}): the same everywhere after ${ms} ms`);
    });
  }
});

Deno.test("hard case: two nodes that cannot reach each other, in one direction or both, have a relay", async (t) => {
  await using cluster = await TestCluster.start({ proxied: true });
  const [one, two] = cluster.members as [Member, Member, Member];
  const lines: string[] = [];
  const cases = [
    ["node_2 cannot ask node_1", [[1, 0]], "drop"],
    ["node_1 cannot ask node_2", [[0, 1]], "drop"],
    ["neither can ask the other", [[0, 1], [1, 0]], "drop"],
    ["neither hears of the other, connections stay", [[0, 1], [1, 0]], "hang"],
    ["requests arrive, answers do not", [[0, 1], [1, 0]], "hang response"],
  ] as const;
  for (const [name, ways, kind] of cases) {
    await t.step(name, async () => {
      for (const [from, to] of ways) {
        cluster.proxy(from, to).set(
          kind === "drop" ? { kind } : kind === "hang" ? { kind } : { kind: "hang", way: "response" },
        );
      }
      const startMs = performance.now();
      lines.push(...await writeMany(one, "web", `${name} one`, 5));
      lines.push(...await writeMany(two, "web", `${name} two`, 5));
      await cluster.converged();
      const firstMs = Math.round(performance.now() - startMs);
      // By now everyone knows who cannot be reached: what the relay alone costs.
      const times: number[] = [];
      for (const member of [one, two]) {
        for (let i = 0; i < 3; i++) {
          const line = `${name} ${member.instance} confirmed ${i}`;
          const askedMs = performance.now();
          const answer = await member.askWrite("web", line + "\n", "min_sync_replicas=2&timeout=20000");
          times.push(performance.now() - askedMs);
          assertEquals(answer.status, 200, answer.text);
          lines.push(line);
        }
      }
      cluster.heal();
      const healMs = performance.now();
      await allReachable(cluster);
      const healedMs = Math.round(performance.now() - healMs);
      await cluster.converged();
      const shown = times.map((ms) => Math.round(ms)).join(", ");
      report(
        `${name}: the same after ${firstMs} ms; two replicas confirmed in ${shown} ms; healed ${healedMs} ms`,
      );
    });
  }
  await assertExactly(cluster, lines);
  await cluster.sameBytes();
});

Deno.test("hard case: a slow peer does not slow down writes that another one confirms", async () => {
  await using cluster = await TestCluster.start({ proxied: true });
  const [one] = cluster.members as [Member, Member, Member];
  cluster.proxy(2, 0).set({ kind: "throttle", bytesPerSecond: 20_000 });
  cluster.proxy(2, 1).set({ kind: "throttle", bytesPerSecond: 20_000 });
  const times: number[] = [];
  const body = `${PAD}\n`.repeat(250);
  for (let i = 0; i < 60; i++) {
    const startMs = performance.now();
    const answer = await one.askWrite("web", body, "min_sync_replicas=1");
    times.push(performance.now() - startMs);
    assertEquals(answer.status, 200, answer.text);
  }
  const behind = (await one.listChunks("web"))[0]!.size -
    ((await cluster.at(2).listChunks("web"))[0]?.size ?? 0);
  assert(behind > 0, "the slow one is behind");
  cluster.heal();
  const ms = await cluster.converged();
  await cluster.sameBytes();
  assert(percentile(times, 0.9) < 1_000, `90 % within ${percentile(times, 0.9)} ms`);
  report(
    `slow peer: one replica confirmed in ${percentile(times, 0.5)} ms (median), ${percentile(times, 1)} ms ` +
      `(worst); ${behind} bytes caught up ${ms} ms after it was fast again`,
  );
});

Deno.test("hard case: a peer that hangs as a whole is done without, and catches up when it goes on", async () => {
  await using cluster = await TestCluster.start();
  const [one, , frozen] = cluster.members as [Member, Member, Member];
  const lines = await writeMany(one, "web", "before", 5);
  frozen.pause();
  const startMs = performance.now();
  for (let i = 0; i < 20; i++) {
    lines.push(`paused ${i} ${PAD}`);
    const answer = await one.askWrite("web", lines.at(-1)!, "min_sync_replicas=1");
    assertEquals(answer.status, 200, answer.text);
  }
  const writtenMs = Math.round(performance.now() - startMs);
  await eventually(
    "it is noticed",
    () => one.status(),
    ({ peers }) => peers.some(({ instance, reachable }) => instance === "node_3" && !reachable),
  );
  const noticedMs = Math.round(performance.now() - startMs);
  frozen.resume();
  const ms = await cluster.converged();
  await assertExactly(cluster, lines);
  report(
    `paused peer: 20 confirmed writes in ${writtenMs} ms, noticed after ${noticedMs} ms, caught up in ${ms} ms`,
  );
});

Deno.test("hard case: answers that are cut or damaged on their way are taken for what they are", async () => {
  await using cluster = await TestCluster.start({ proxied: true });
  const [one] = cluster.members as [Member, Member, Member];
  const lines: string[] = [];
  const block = (name: string): string => {
    const block = Array.from({ length: 2_000 }, (_, i) => `${name} ${i} ${PAD}`);
    lines.push(...block);
    return block.join("\n") + "\n";
  };
  for (const kind of ["cut", "corrupt"] as const) {
    for (const at of [10, 1_000, 70_000, 150_000]) {
      // Within the bytes of messages: they have a checksum, as the words around them have not.
      if (kind === "corrupt" && at < 10_000) continue;
      await allReachable(cluster);
      for (const from of [1, 2]) cluster.proxy(from, 0).set({ kind, at });
      await one.write("web", block(`${kind} ${at}`));
      await eventually(
        `${kind} at ${at} was met`,
        () => [1, 2].map((i) => cluster.proxy(i, 0).harmed),
        (counts) => counts.every((count) => count > 0),
      );
      cluster.heal();
      await cluster.converged();
    }
  }
  await assertExactly(cluster, lines);
  await cluster.sameBytes({ files: true });
});

Deno.test("hard case: a second node of one name is refused, says so, and nothing is mixed", async () => {
  await using cluster = await TestCluster.start();
  const [one] = cluster.members as [Member, Member, Member];
  const lines = await writeMany(one, "web", "first", 20);
  await cluster.converged();
  const before = await listingOf(cluster.at(1));
  await using directory = await temporary();
  const peers = cluster.members.slice(1).map(({ instance, url }) => `${instance}=${url}`).join(",");
  const [port] = freePorts(1) as [number];
  // It does not ask before it takes writes: the worst that can be done.
  const second = new Member({
    instance: "node_1",
    dataDir: `${directory.path}/second`,
    port,
    peers,
    flags: ["--bootstrap"],
  });
  try {
    await second.launch();
    await eventually("it is not ready", () => second.ask("/readyz"), ({ status }) => status === 503);
    const refused = await second.askWrite("web", "of the second\n");
    assertEquals([refused.status, refused.error?.code, refused.error?.written], [503, "not_joined", "no"]);
    assertStringIncludes(refused.text, "node_1");
    assertStringIncludes((await second.ask("/readyz")).text, "node_1");
    await eventually(
      "the others say so, loudly",
      () => cluster.members.slice(1).map(({ output }) => /ERR two live nodes have one name/.test(output)),
      (said) => said.every((one) => one),
    );
    assert(/one of them another --instance/.test(second.output), second.output);
    lines.push(...await writeMany(one, "web", "first goes on", 20));
    await cluster.converged();
    for (const member of cluster.members) {
      assertEquals((await member.ask("/readyz")).status, 200, "the first and the others are as before");
    }
    assertEquals((await listingOf(cluster.at(1))).map(({ name }) => name), before.map(({ name }) => name));
    await assertExactly(cluster, lines);
    assertEquals(await allLines(second), [], "it took nothing over either");
  } finally {
    await second.kill();
  }
});

Deno.test("hard case: of a copied data directory one process goes on, and nothing is mixed", async () => {
  await using cluster = await TestCluster.start();
  const [one] = cluster.members as [Member, Member, Member];
  const lines = await writeMany(one, "web", "before", 20);
  await cluster.converged();
  await one.kill();
  await using directory = await temporary();
  const copied = `${directory.path}/copy`;
  await copyDirectory(one.dataDir, copied);
  await one.start();
  lines.push(...await writeMany(one, "web", "first", 20));
  await cluster.converged();
  const peers = cluster.members.slice(1).map(({ instance, url }) => `${instance}=${url}`).join(",");
  const [port] = freePorts(1) as [number];
  const copy = new Member({ instance: "node_1", dataDir: copied, port, peers });
  try {
    await copy.launch();
    const pair = [one, copy];
    const ofCopy: string[] = [];
    const look = async () => {
      for (const member of pair) {
        const line = `${member === one ? "first" : "copy"} at once ${performance.now()} ${PAD}`;
        const { status } = await member.askWrite("web", line + "\n");
        if (status === 200) (member === one ? lines : ofCopy).push(line);
      }
      return await Promise.all(pair.map(async (member) => (await member.ask("/readyz")).status));
    };
    const ready = await eventually("one of them is refused", look, (all) => all.includes(503));
    const refused = pair[ready.indexOf(503)]!;
    const answer = await refused.askWrite("web", "never\n");
    assertEquals([answer.status, answer.error?.code, answer.error?.written], [503, "not_joined", "no"]);
    assertStringIncludes(answer.error!.message, "another --instance");
    for (const member of cluster.members.slice(1)) {
      for (const { name, lines: held } of await linesOf(member)) {
        const kinds = new Set(held.map((line) => line.startsWith("copy") ? "copy" : "first"));
        assert(kinds.size <= 1, `${name} at ${member.instance} is a mixture`);
      }
    }
    report(`copied directory: ${refused === one ? "the first process" : "the copy"} is refused`);
    // A person takes the copy away: then all is as if it had never been.
    await copy.kill();
    await one.kill();
    await one.start();
    const ms = await cluster.converged();
    const held = await allLines(cluster.at(1));
    assertEquals(lines.filter((line) => !held.includes(line)), [], "what was answered is there");
    await cluster.sameBytes({ files: true });
    report(`the copy taken away: the same everywhere ${ms} ms after the restart`);
  } finally {
    await copy.kill();
  }
});

Deno.test("hard case: chunk numbers stay unused after an empty disk in every category", async () => {
  await using cluster = await TestCluster.start();
  const [lost] = cluster.members as [Member, Member, Member];
  await writeMany(lost, "a", "a", 3);
  await writeMany(lost, "b", "b", 3);
  await cluster.converged();
  for (let round = 0; round < 2; round++) {
    await lost.kill();
    await lost.wipe();
    await lost.start();
    for (const category of ["a", "b", "c"]) {
      const held = new Set((await cluster.at(1).listChunks(category)).map(({ name }) => name));
      const { chunk } = await lost.write(category, `${category} ${round}\n`);
      assert(!held.has(chunk), `${chunk} of ${category} was used before`);
      assert(chunk !== chunkName("node_1", 0), "not from the beginning");
    }
    await cluster.converged(undefined, formerAreComplete);
  }
  const lines = await allLines(cluster.at(2));
  assertEquals(lines.length, 6 + 2 * 3);
  await cluster.sameBytes({ files: true });
});

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "chukcha-cluster-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function copyDirectory(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyDirectory(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
