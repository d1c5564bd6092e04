/**
 * Debian's rsyslog with `omprog`, curl and the script of `docs/shippers.md`, against a node that is stopped and killed
 * under it; rsyslog itself is stopped while nobody is there. Every line that was in its file arrives at least once.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { testWith, tool } from "../support/skip.ts";
import { Arrivals, numbered } from "./shippers_arrivals.ts";
import { blockOf, NODE_1 } from "./shippers_page.ts";
import { Daemon, startNodes } from "./shippers_programs.ts";

/** Lines that are written at a time. */
const PORTION = 4_000;
const SCRIPT = "/usr/local/bin/chukcha-rsyslog";

testWith("rsyslog: nothing is lost while a node is stopped and killed, and rsyslog is stopped", [
  tool("rsyslogd"),
  tool("bash"),
  tool("curl"),
], async () => {
  await using directory = await temporaryDirectory();
  const { path } = directory;
  await using nodes = await startNodes(path, 1);
  const [node] = nodes.members;
  await Deno.writeTextFile(`${path}/chukcha-rsyslog`, await blockOf("#!/bin/bash", {}), { mode: 0o755 });
  const action = await blockOf('# /etc/rsyslog.d/chukcha.conf\nmodule(load="omprog")', {
    [NODE_1]: node!.url,
    [SCRIPT]: `${path}/chukcha-rsyslog`,
    "/var/log/chukcha-rsyslog.log": `${path}/output.log`,
  });
  await Deno.mkdir(`${path}/spool`);
  const input = `global(workDirectory="${path}/spool")\nmodule(load="imfile")\n` +
    `input(type="imfile" file="${path}/app.log" tag="app")\n`;
  await Deno.writeTextFile(`${path}/rsyslog.conf`, input + action);
  await Deno.writeTextFile(`${path}/app.log`, "");
  await Deno.writeTextFile(`${path}/output.log`, "");
  const arrivals = new Arrivals(nodes.members, "logs.syslog");
  let written = 0;
  const write = async () => {
    const lines = numbered(written, PORTION);
    written += PORTION;
    await Deno.writeTextFile(`${path}/app.log`, lines.map((line) => `${line}\n`).join(""), { append: true });
  };
  const start = () => new Daemon("rsyslogd", ["-n", "-f", `${path}/rsyslog.conf`, "-i", `${path}/pid`], path);
  const output = () => Deno.readTextFile(`${path}/output.log`);
  const refused = (text: string) => text.split("curl: (7)").length - 1;

  let daemon = start();
  try {
    await write();
    await arrivals.until(1);
    await Promise.all([node!.stop(), write()]);
    await eventually("the script finds nobody", output, (text) => refused(text) > 0);
    await daemon.end("SIGTERM");
    const before = refused(await output());
    daemon = start();
    await write();
    await eventually("the script finds nobody", output, (text) => refused(text) > before);
    await node!.start();
    await arrivals.until(written - PORTION + 1);
    await Promise.all([node!.kill().then(() => node!.start()), write()]);
    await arrivals.until(written);
    await daemon.end("SIGTERM");
  } catch (cause) {
    throw new Error(`${await output()}\n${daemon.output}`, { cause });
  } finally {
    await daemon[Symbol.asyncDispose]();
  }
  await arrivals.look();
  report(`rsyslog: ${written} lines, ${arrivals.duplicates} of them again`);
  assertEquals([arrivals.missing(written), arrivals.strange], [[], []]);
});
