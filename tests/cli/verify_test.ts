/**
 * @module Tests of `chukcha verify`, as a program.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startChildNode, temporaryDirectory } from "../support/node.ts";
import { run } from "./program.ts";

const NO_SERVER = "http://127.0.0.1:1";

Deno.test("verify tells what is damaged, and what becomes of it, and leaves everything as it is", async () => {
  await using directory = await temporaryDirectory();
  const dataDir = directory.path;
  const verify = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(NO_SERVER, ["verify", "--data-dir", dataDir, ...args]);
    return { code, stdout: new TextDecoder().decode(stdout), stderr };
  };
  {
    await using node = await startChildNode(dataDir);
    await node.write("web", "one\ntwo\nthree\n");
    await node.write("shop", "sold\n");
    const running = await verify();
    assertEquals([running.code, running.stdout], [1, ""]);
    assertStringIncludes(running.stderr, "in use by a running node; stop it first");
    await node.stop();
  }
  const clean = await verify();
  assertEquals([clean.code, clean.stdout], [0, ""]);
  assertStringIncludes(clean.stderr, "2 chunks of 2 categories");
  assertStringIncludes(clean.stderr, "no damage");

  const path = `${dataDir}/web/node_1-chunk000000000`;
  const rotten = (await Deno.readFile(path)).fill(0, 2, 3);
  await Deno.writeFile(path, rotten);
  const found = await verify();
  assertEquals(found.code, 1);
  assertStringIncludes(
    found.stdout,
    "web/node_1-chunk000000000  14 bytes, complete\n  DAMAGE  bytes 0 to 14: ",
  );
  assertStringIncludes(found.stdout, "at the next start: they are fetched from any node that has them");
  assertStringIncludes(found.stderr, "1 damaged");
  assertEquals(await Deno.readFile(path), rotten);
  assertEquals((await verify("shop")).code, 0);
  const { code, stdout, stderr } = await verify("web", "--json");
  assertEquals([code, stderr], [1, ""]);
  const { damaged, chunks, found: [first] } = JSON.parse(stdout);
  assertEquals([damaged, chunks, first.remarks[0].range], [1, 1, { from: 0, to: 14 }]);
});

Deno.test("verify looks at what is remembered of producers", async () => {
  await using directory = await temporaryDirectory();
  const dataDir = directory.path;
  {
    await using node = await startChildNode(dataDir);
    for (const sequence of [1, 2]) {
      const path = `/write?category=web&producer=p&sequence=${sequence}`;
      await (await node.fetch(path, { method: "POST", body: `${sequence}\n` })).body?.cancel();
    }
    await node.stop();
  }
  const path = `${dataDir}/web/producers.journal`;
  const journal = await Deno.readFile(path);
  const cases: [Uint8Array, number, string][] = [
    [journal, 0, ""],
    [
      journal.subarray(0, -1),
      0,
      "web/producers.journal  81 bytes\n  note    bytes 41 to 81: nothing vouches",
    ],
    [journal.slice().fill(7, 20, 21), 1, "web/producers.journal  82 bytes\n  DAMAGE  41 bytes of it fail"],
  ];
  for (const [content, expected, line] of cases) {
    await Deno.writeFile(path, content);
    const { code, stdout, stderr } = await run(NO_SERVER, ["verify", "--data-dir", dataDir]);
    const text = new TextDecoder().decode(stdout);
    assertEquals([code, line === "" && text !== ""], [expected, false]);
    assertStringIncludes(text, line);
    assertStringIncludes(stderr, "1 chunks of 1 categories");
    assertEquals(await Deno.readFile(path), content, "nothing is changed");
  }
});

Deno.test("verify says what is wrong with what it is given", async () => {
  await using directory = await temporaryDirectory();
  const cases: [string[], string][] = [
    [["--data-dir", `${directory.path}/none`], "is not a directory"],
    [["--data-dir", directory.path], "is not the data directory of a node"],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await run(NO_SERVER, ["verify", ...args]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, message);
  }
  await Deno.writeTextFile(`${directory.path}/node.json`, '{"format":1,"instance":"n","incarnation":"1"}');
  const unknown = await run(NO_SERVER, ["verify", "--data-dir", directory.path, "web"]);
  assertEquals(unknown.code, 1);
  assertStringIncludes(unknown.stderr, '"web" is not in');
  assertEquals((await run(NO_SERVER, ["verify", "--data-dir", directory.path, "../web"])).code, 2);
  await Deno.mkdir(`${directory.path}/web`);
  await Deno.writeTextFile(`${directory.path}/web/acknowledged.json`, "{");
  const broken = await run(NO_SERVER, ["verify", "--data-dir", directory.path]);
  assertEquals(broken.code, 1);
  assertStringIncludes(broken.stderr, "acknowledged.json is damaged");
  assert(!(await Array.fromAsync(Deno.readDir(directory.path))).some(({ name }) => name === "lock"));
});
