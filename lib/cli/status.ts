/**
 * `chukcha status`: how a node is, for people, and as an exit status for probes.
 *
 * @module
 */
import type { NodeStatus } from "../client/mod.ts";
import { formatCount, formatDuration, formatSize } from "../quantities.ts";
import { type Command, EXIT, type Invocation } from "./command.ts";
import { connect, JSON_FLAG, SERVER_FLAG } from "./connect.ts";
import { columns } from "./help.ts";

/** The command. */
export const status: Command = {
  name: "status",
  positionals: [],
  summary: "show how a node is; exit status 10 if it is not healthy",
  about: ["Exit status 1 means that there is no node to ask."],
  flags: [JSON_FLAG, SERVER_FLAG],
  examples: [
    ["chukcha status", "for people"],
    ["chukcha status --json --server http://node-2:8080", "for programs"],
  ],
  run,
};

async function run({ flags, env, terminal, signal }: Invocation): Promise<number> {
  const found = await connect({ flags, env }).status({ signal });
  await terminal.print(flags.on("json") ? JSON.stringify(found) : report(found));
  return found.healthy ? EXIT.ok : EXIT.unhealthy;
}

function report(found: NodeStatus): string {
  const { instance, version, state, healthy, disk, open } = found;
  const checks = found.checks.map(({ name, ok, message }) =>
    [`${ok ? "ok  " : "FAIL"} ${name}`, message] as const
  );
  return [
    `${instance} is ${healthy ? "healthy" : "NOT HEALTHY"} and ${state}`,
    found.promise,
    columns(checks),
    columns([
      ["version", `${version}, up ${formatDuration(found.uptime_ms)}, incarnation ${found.incarnation}`],
      [
        "stored",
        `${formatSize(found.bytes)} in ${formatCount(found.chunks)} chunks of ${
          formatCount(found.categories)
        } categories`,
      ],
      ["disk", `${formatSize(disk.free_bytes)} of ${formatSize(disk.total_bytes)} free at ${disk.path}`],
      ["open", `${open.files} files, ${open.tails} tails, ${formatSize(open.body_bytes)} of bodies`],
    ]),
  ].filter((part) => part !== "").join("\n");
}
