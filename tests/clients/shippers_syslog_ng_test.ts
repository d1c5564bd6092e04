/**
 * Debian's syslog-ng with the configuration of `docs/shippers.md`, against two nodes that are stopped and killed under
 * it, and is killed itself: every line that was in its file arrives at least once.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { testWith, tool } from "../support/skip.ts";
import { Arrivals, numbered } from "./shippers_arrivals.ts";
import { blockOf, NODE_1, NODE_2 } from "./shippers_page.ts";
import { startNodes, startSyslogNg } from "./shippers_programs.ts";

/** Lines that are written at a time. */
const PORTION = 5_000;
const CATEGORY = "logs.syslog";

testWith("syslog-ng: nothing is lost while nodes are stopped and killed, and it is killed itself", [
  tool("syslog-ng"),
], async () => {
  await using directory = await temporaryDirectory();
  await using nodes = await startNodes(directory.path, 2);
  const [first, second] = nodes.members as [typeof nodes.members[0], typeof nodes.members[0]];
  const block = await blockOf("# /etc/syslog-ng/conf.d/chukcha.conf", {
    [NODE_1]: first!.url,
    [NODE_2]: second!.url,
    "reliable(yes)": `reliable(yes) dir("${directory.path}")`,
  });
  const log = `${directory.path}/app.log`;
  const source = `@version: 3.38\nsource s_src { file("${log}" flags(no-parse) follow-freq(0.1)); };\n`;
  await Deno.writeTextFile(`${directory.path}/syslog-ng.conf`, source + block);
  await Deno.writeTextFile(log, "");
  const arrivals = new Arrivals(nodes.members, CATEGORY);
  let written = 0;
  const write = async () => {
    const lines = numbered(written, PORTION);
    written += PORTION;
    await Deno.writeTextFile(log, lines.map((line) => `${line}\n`).join(""), { append: true });
  };

  let daemon = await startSyslogNg(directory.path);
  try {
    await write();
    await arrivals.until(1);
    // In the middle of it; the other node goes on.
    await Promise.all([first.stop(), write()]);
    await arrivals.until(written / 2);
    // Now nobody is there, and syslog-ng holds what it has read.
    await Promise.all([second.kill(), write()]);
    await daemon.said(/Couldn't connect|error sending HTTP request/);
    await daemon.end("SIGKILL");
    daemon = await startSyslogNg(directory.path);
    await write();
    await Promise.all([first.start(), second.start()]);
    await arrivals.until(written - PORTION + 1);
    await Promise.all([first.kill().then(() => first.start()), write()]);
    await arrivals.until(written);
    await daemon.end("SIGTERM");
  } finally {
    await daemon[Symbol.asyncDispose]();
  }
  await arrivals.look();
  report(`syslog-ng: ${written} lines, ${arrivals.duplicates} of them again`);
  assertEquals(arrivals.missing(written), [], daemon.output);
  assertEquals(arrivals.strange, []);
  assert(arrivals.duplicates < written, "it sends everything twice");
});
