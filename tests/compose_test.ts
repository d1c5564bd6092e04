/**
 * `cluster-compose.yml`, without Docker: what it says is checked, and its command lines and health checks are run as
 * processes of this machine. Only host names, ports and directories are others, and `deno` is the Deno that runs this
 * test.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { parse } from "@std/yaml";
import { SHUTDOWN_MS, SHUTDOWN_REPLICAS_MS } from "../lib/protocol/limits.ts";
import { parseDuration } from "../lib/quantities.ts";
import { resolveSettings } from "../lib/settings.ts";
import { eventually } from "./support/eventually.ts";
import { type Listening, startListening } from "./support/listening.ts";
import { freePorts } from "./support/member.ts";
import { NodeUnderTest, temporaryDirectory } from "./support/node.ts";
import { os, testWith } from "./support/skip.ts";

/** The part of the file that is looked at. */
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

interface Service {
  readonly image: string;
  readonly working_dir: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly stop_grace_period: string;
  readonly healthcheck: { readonly test: readonly string[] };
}

const ROOT = new URL("../", import.meta.url);
const { services, volumes } = parse(Deno.readTextFileSync(new URL("cluster-compose.yml", ROOT))) as Compose;

Deno.test("compose: each node has the name, the address, the port and the volume that the others and users know", () => {
  assertEquals(Object.keys(services), ["node_1", "node_2", "node_3"]);
  Object.entries(services).forEach(([name, service], i) => {
    const { environment: env, stop_grace_period } = service;
    const settings = resolveSettings({ flags: {}, env, hostname: "container" });
    assertEquals(settings.instance, name);
    const others = Object.keys(services).filter((other) => other !== name);
    assertEquals(settings.peers, others.map((other) => ({ instance: other, url: `http://${other}:8080` })));
    assertEquals([settings.listen, settings.dataDir], [{ hostname: "0.0.0.0", port: 8080 }, "/data"]);
    assertEquals(service.image, `denoland/deno:${Deno.version.deno}`);
    assertEquals(service.ports, [`127.0.0.1:${8080 + i}:8080`]);
    assertEquals(service.volumes, [`.:${service.working_dir}:ro`, "deno_dir:/deno-dir", `${name}:/data`]);
    assert(
      parseDuration(stop_grace_period)! > SHUTDOWN_MS + SHUTDOWN_REPLICAS_MS,
      "the time to stop is too short",
    );
  });
  assertEquals(Object.keys(volumes).toSorted(), ["deno_dir", ...Object.keys(services)]);
});

testWith(
  "compose: its command lines are a cluster, and its health check says when",
  [os("linux", "darwin")],
  async () => {
    await using directory = await temporaryDirectory();
    const names = Object.keys(services);
    const ports = freePorts(names.length);
    await using started = new AsyncDisposableStack();
    const checks = names.map((name, i) => () => isHealthy(services[name]!, ports[i]!));
    assertNotEquals(await checks[0]!(), 0);
    const running = await Promise.all(names.map(async (name, i) => {
      const map = (text: string) => here(text, names, ports, directory.path, i);
      return started.use(await start(services[name]!, ports[i]!, map));
    }));
    for (const check of checks) await eventually("the health check", check, (code) => code === 0);

    const nodes = ports.map((port, i) => new NodeUnderTest(`http://127.0.0.1:${port}`, names[i]!));
    await nodes[0]!.write("greetings", "hello\n");
    for (const node of nodes) {
      await eventually("it has come", () => node.readText("greetings"), (text) => text === "hello\n");
    }
    const codes = await Promise.all(running.map((process) => process.stop()));
    assertEquals(codes, names.map(() => 0));
    assertNotEquals(await checks[0]!(), 0);
  },
);

/** What a text of the file is on this machine, for the node of number `self`. */
function here(
  text: string,
  names: readonly string[],
  ports: readonly number[],
  path: string,
  self: number,
): string {
  const own = text.replace("0.0.0.0:8080", `0.0.0.0:${ports[self]}`).replace(
    /^\/data$/,
    `${path}/${names[self]}`,
  );
  return names.reduce((rest, name, i) => rest.replace(`//${name}:8080`, `//127.0.0.1:${ports[i]}`), own);
}

/** The image's entry point runs the command as it is. */
function start(service: Service, port: number, map: (text: string) => string): Promise<Listening> {
  const [program, ...args] = service.command;
  assertEquals(program, "deno");
  const settings = Object.entries(service.environment).map(([name, value]) => [name, map(value)]);
  const env = { ...Object.fromEntries(settings), CHUKCHA_MIN_FREE_DISK: "0" };
  const address = new RegExp(`serves http://0\\.0\\.0\\.0:${port}`);
  return startListening(Deno.execPath(), { args, cwd: ROOT, env, address });
}

/** Runs the health check; returns its exit code. */
async function isHealthy({ healthcheck }: Service, port: number): Promise<number> {
  const [how, program, ...args] = healthcheck.test;
  assertEquals([how, program], ["CMD", "deno"]);
  const command = new Deno.Command(Deno.execPath(), {
    args: args.map((arg) => arg.replace("127.0.0.1:8080", `127.0.0.1:${port}`)),
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  return (await command.output()).code;
}
