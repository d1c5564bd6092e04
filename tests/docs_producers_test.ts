/**
 * The commands of `docs/producers.md`, run as they stand there against a node: each prints what the page says.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as limits from "../lib/protocol/limits.ts";
import { startLocalNode } from "./support/node.ts";
import { testWith, tool } from "./support/skip.ts";

const PAGE = await Deno.readTextFile(new URL("../docs/producers.md", import.meta.url));

testWith(
  "docs/producers.md: every command prints what the page says",
  [tool("bash"), tool("curl")],
  async () => {
    await using node = await startLocalNode();
    const blocks = Array.from(PAGE.matchAll(/^```sh\n([\s\S]*?)^```\n+```text\n([\s\S]*?)^```$/gm));
    assert(blocks.length >= 2);
    for (const [, commands, prints] of blocks) {
      const script = commands!.replaceAll("http://127.0.0.1:8080", node.url);
      const { code, stdout } = await new Deno.Command("bash", { args: ["-eu", "-c", script] }).output();
      assertEquals([code, new TextDecoder().decode(stdout)], [0, prints]);
    }
  },
);

Deno.test("docs/producers.md names the bounds as they are", () => {
  const text = PAGE.replaceAll(/\s+/g, " ");
  const { PRODUCER_SEQUENCES_MAX, PRODUCERS_MAX, PRODUCER_AGE_MS_MAX } = limits;
  assertStringIncludes(
    text,
    `the latest ${PRODUCER_SEQUENCES_MAX} batches of a producer in a category (\`PRODUCER_`,
  );
  assertStringIncludes(text, `the ${PRODUCERS_MAX.toLocaleString("en")} producers that wrote last`);
  assertStringIncludes(text, `for ${PRODUCER_AGE_MS_MAX / 86_400_000} days (\`PRODUCER_AGE_MS_MAX\`)`);
});
