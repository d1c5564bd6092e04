/**
 * A node that may open few files: more chunks than descriptors, and a limit that is hit.
 *
 * Connections are the listener's matter; here it is the files of the data directory.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { freePorts, Member } from "../support/member.ts";
import { temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { os, testWith, tool } from "../support/skip.ts";
import { diskCheck } from "./ground.ts";

/** The runtime itself has some 40 open. */
const DESCRIPTORS = 256;
const CATEGORIES = 400;

const category = (n: number): string => `category-${n}`;

testWith(
  `${CATEGORIES} categories with ${DESCRIPTORS} descriptors: every one is written, read, acknowledged and found again`,
  [os("linux"), tool("prlimit")],
  async () => {
    await using directory = await temporaryDirectory();
    const [port = 0] = freePorts(1);
    const member = new Member({
      instance: "node_1",
      dataDir: `${directory.path}/data`,
      port,
      peers: "",
      prefix: ["prlimit", `--nofile=${DESCRIPTORS}:${DESCRIPTORS}`],
    });
    await using _ = { [Symbol.asyncDispose]: () => member.kill() };
    await member.start();
    const refused = new Map<string, number>();
    const all = Array.from({ length: CATEGORIES }, (_, n) => category(n));
    for (const name of all) {
      // As a shipper does: what was refused is sent again.
      await eventually(`${name} is written`, async () => {
        const { status, error, text } = await member.askWrite(name, `${name}\n`);
        if (status === 200) return true;
        assertEquals([status, error?.written], [503, "no"], text);
        refused.set(error!.message, (refused.get(error!.message) ?? 0) + 1);
        return false;
      }, (written) => written);
    }
    for (const name of all) assertEquals(await member.readText(name), `${name}\n`);
    const { open } = await member.status();
    const descriptors = [...Deno.readDirSync(`/proc/${member.pid}/fd`)].length;
    report(
      `${CATEGORIES} categories, ${DESCRIPTORS} descriptors: ${open.files} files and ${descriptors} descriptors open, ` +
        `${[...refused.values()].reduce((sum, count) => sum + count, 0)} writes refused ${
          JSON.stringify([...refused])
        }`,
    );
    assert(descriptors <= DESCRIPTORS);
    assertEquals((await diskCheck(member)).ready, 200);
    await member.kill();
    await member.start();
    for (const name of all) {
      const [chunk] = await member.listChunks(name);
      assertEquals([chunk!.complete, chunk!.size], [true, name.length + 1]);
      const { status, text } = await member.ack(name, chunk!.name, chunk!.size);
      assertEquals(status, 200, text);
    }
    assertEquals((await member.status()).chunks, 0);
    const lines = member.output.split("\n").filter((line) => /descriptors|EMFILE/.test(line));
    assert(lines.length <= 8, lines.join("\n"));
    await member.stop();
  },
);
