/**
 * curl, with the commands of `docs/shippers.md`, against a node that is stopped and killed under it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { DiskError } from "../../lib/storage/disk.ts";
import { eventually } from "../support/eventually.ts";
import { type DiskHooks, faultyDisk } from "../support/faulty_disk.ts";
import { startLocalNode, temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { testWith, tool } from "../support/skip.ts";
import { Arrivals, numbered } from "./shippers_arrivals.ts";
import { blockOf, NODE_1 } from "./shippers_page.ts";
import { Script, startNodes } from "./shippers_programs.ts";

const NEEDED = [tool("curl"), tool("bash"), tool("split"), tool("timeout")];

testWith("curl --data-binary: a file in batches, while the node is stopped and killed", NEEDED, async () => {
  await using directory = await temporaryDirectory();
  await using nodes = await startNodes(directory.path, 1);
  const [node] = nodes.members;
  const count = 20_000;
  await Deno.writeTextFile(
    `${directory.path}/app.log`,
    numbered(0, count).map((line) => `${line}\n`).join(""),
  );
  const commands = await blockOf("# Everything of a file, or of a pipe, in batches of 1 MiB of whole lines", {
    [NODE_1]: node!.url,
    // So many batches that restarts fall between them.
    "--line-bytes=1M": "--line-bytes=8K",
  });
  const arrivals = new Arrivals(nodes.members, "logs.app");
  await using script = new Script(commands, directory.path);
  await arrivals.until(count / 20);
  await node!.stop();
  await node!.start();
  await arrivals.until(Math.min(count, arrivals.count + count / 20));
  await node!.kill();
  await node!.start();
  await script.succeeded();
  await arrivals.look();
  report(`curl --data-binary: ${count} lines, ${arrivals.duplicates} of them again`);
  assertEquals([arrivals.missing(count), arrivals.strange], [[], []]);
});

testWith(
  "curl -T -: a batch from a program that runs again when the node was killed halfway",
  NEEDED,
  async () => {
    await using directory = await temporaryDirectory();
    await using nodes = await startNodes(directory.path, 1);
    const [node] = nodes.members;
    const count = 2_000;
    const lines = numbered(0, count).map((line) => `${line}\n`);
    await Deno.writeTextFile(`${directory.path}/half`, lines.slice(0, count / 2).join(""));
    await Deno.writeTextFile(`${directory.path}/other_half`, lines.slice(count / 2).join(""));
    // Stands still halfway until it is told to go on, so that the node can be killed there.
    const program =
      "#!/bin/sh\necho run >>runs\ncat half\nuntil [ -e go_on ]; do sleep 0.05; done\ncat other_half\n";
    await Deno.writeTextFile(`${directory.path}/make-report`, program, { mode: 0o755 });
    const commands = await blockOf("# One batch, straight from a program", { [NODE_1]: node!.url });
    await using script = new Script(commands, directory.path);
    const arriving = async () => (await node!.status()).open.body_bytes;
    await eventually("half of it arrives", arriving, (bytes) => bytes > 0);
    await node!.kill();
    await Deno.writeTextFile(`${directory.path}/go_on`, "");
    await node!.start();
    const size = lines.join("").length;
    const answers = (await script.succeeded()).trim();
    assertEquals(JSON.parse(answers).size, size, answers);
    const runs = (await Deno.readTextFile(`${directory.path}/runs`)).trim().split("\n").length;
    const arrivals = new Arrivals(nodes.members, "reports");
    await arrivals.look();
    report(`curl -T -: ${count} lines in ${runs} runs, ${arrivals.duplicates} of them again`);
    assert(runs > 1, "the node was killed too late");
    assertEquals([arrivals.missing(count), arrivals.strange, arrivals.duplicates], [[], [], 0]);
  },
);

testWith("curl -d @file makes one message of all lines, --data-binary @file keeps them", NEEDED, async () => {
  await using directory = await temporaryDirectory();
  await using node = await startLocalNode();
  await Deno.writeTextFile(`${directory.path}/lines`, "one\ntwo\n");
  const url = `'${node.url}/write?category=lines'`;
  await using script = new Script(
    `curl -sS -d @lines ${url}; curl -sS --data-binary @lines ${url}`,
    directory.path,
  );
  await script.succeeded();
  assertEquals(await node.readText("lines"), "onetwo\none\ntwo\n");
});

testWith("curl --retry sends a pipe again with --data-binary @-, and nothing with -T -", NEEDED, async () => {
  await using directory = await temporaryDirectory();
  let refusals = 0;
  const hooks: DiskHooks = {
    write: (path, bytes) => {
      if (refusals-- > 0) throw new DiskError("read_only", "write", path);
      return bytes;
    },
  };
  await using node = await startLocalNode({ wrapDisk: (disk) => faultyDisk(disk, hooks) });
  const sizes: number[] = [];
  for (const way of ["--data-binary @-", "-T -"]) {
    refusals = 1;
    const url = `'${node.url}/write?category=piped'`;
    await using script = new Script(
      `printf 'one\\ntwo\\n' | curl -sS --fail --retry 5 --retry-all-errors ${way} ${url} 2>errors; echo; grep -c 503 errors`,
      directory.path,
    );
    const [answer, refused] = (await script.succeeded()).split("\n");
    assertEquals(refused, "1", "it was refused once");
    sizes.push(JSON.parse(answer!).size);
  }
  // The warning of docs/shippers.md; curl says that all is well.
  assertEquals(sizes, [8, 0]);
  assertEquals(await node.readText("piped"), "one\ntwo\n");
});
