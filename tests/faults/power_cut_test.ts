/**
 * The power fails while clients write, again and again: an ext4 on a loop device is shut down without another byte, not
 * even of its journal, and mounted again, as the machine would find it.
 *
 * What was answered with 200 to a write with `sync_each_write` is there after every cut. Of what was not synced, some
 * may be lost; what is left is whole, and nothing else is. `TEST_POWER_CUTS` sets the number of rounds.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { KIB, MIB } from "../../lib/protocol/limits.ts";
import { linesOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { FileSystem } from "../support/file_systems.ts";
import { report } from "../support/report.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { testWith } from "../support/skip.ts";
import { Writers } from "../support/writers.ts";
import { looping, startOn } from "./ground.ts";

const ROUNDS = Number(Deno.env.get("TEST_POWER_CUTS") ?? 30);
/** The cut comes after this many answers to synced writes at most. */
const ANSWERS_MAX = 60;
const DISK_BYTES = 256 * MIB;
/** Small chunks, so that many cuts meet a rotation. */
const CHUNK_BYTES = 64 * KIB;

/** Complaints of a book about messages that need not have survived. */
function ofUnsynced(complaints: readonly string[]): string[] {
  return complaints.filter((complaint) => !complaint.endsWith("was answered 200 and is gone"));
}

testWith(
  `power cuts, ${ROUNDS} times: with sync_each_write every message with a 200 is there, and nothing is torn or invented`,
  looping,
  async () => {
    const seed = Number(Deno.env.get("TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
    const random = new SeededRandom(seed);
    await using files = await FileSystem.ext4(DISK_BYTES);
    await using node = await startOn(files, "--max-chunk-size", `${CHUNK_BYTES}`);
    const { member } = node;
    const members = [member];
    const synced = new Writers({
      members,
      count: 4,
      categories: ["synced"],
      params: "sync_each_write=1",
      seed,
    });
    const loose = new Writers({ members, count: 2, categories: ["loose"], seed: seed + 1 });
    const startMs = performance.now();
    for (let round = 0; round < ROUNDS; round++) {
      const stop = new AbortController();
      const writing = [synced.run(stop.signal), loose.run(stop.signal)];
      const enough = synced.okMs.length + 1 + random.below(ANSWERS_MAX);
      await eventually("writes are answered", () => synced.okMs.length, (count) => count >= enough);
      // The process lives on for a moment, and the system may tell it of a sync that ends in that moment: with a machine
      // that has no power it could not tell anybody.
      for (const writers of [synced, loose]) writers.isCutOff = true;
      files.cutPower();
      await member.kill();
      stop.abort();
      await Promise.all(writing);
      for (const writers of [synced, loose]) writers.isCutOff = false;
      await files.remount();
      await member.start();
      const chunks = await linesOf(member);
      const of = (category: string) => chunks.filter(({ name }) => name.startsWith(`${category}/`));
      assertEquals(
        synced.book.complaints(of("synced")),
        [],
        `round ${round}, seed ${seed}\n${member.output}`,
      );
      assertEquals(ofUnsynced(loose.book.complaints(of("loose"))), [], `round ${round}, seed ${seed}`);
    }
    const chunks = await linesOf(member);
    const lost = loose.book.complaints(chunks.filter(({ name }) => name.startsWith("loose/"))).length;
    const torn = member.output.split("cut a torn tail").length - 1;
    report(
      `${ROUNDS} power cuts in ${Math.round(performance.now() - startMs)} ms, seed ${seed}: ` +
        `${synced.book.count("ok")} of ${synced.book.size} messages synced, 0 lost; ` +
        `${loose.book.count("ok")} of ${loose.book.size} not synced, ${lost} lost; ` +
        `${chunks.length} chunks, ${torn} torn tails`,
    );
    assert(synced.book.count("ok") > ROUNDS, "hardly anything was written");
    assert(lost > 0, "nothing that was not synced was lost: the power was not cut");
    await member.stop();
  },
);
