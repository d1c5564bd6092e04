/**
 * `chukcha serve`: runs a node until it is told to stop.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { Log } from "../protocol/log.ts";
import { isLoopback } from "../peers.ts";
import { defaultText, formatListen, resolveSettings, SETTINGS, type Settings } from "../settings.ts";
import { WrongDirectoryError } from "../storage/node_file.ts";
import { onHangup } from "./signals.ts";
import { type Command, EXIT, Failure, type Flag, type Invocation, UsageError } from "./command.ts";

const CONFIG_FLAG: Flag = {
  name: "config",
  placeholder: "FILE",
  help: "JSON with the same settings, named as in the environment but data_dir for CHUKCHA_DATA_DIR",
};

/** The command. */
export const serve: Command = {
  name: "serve",
  positionals: [],
  summary: "run a node",
  about: [
    "Every setting can be given as a flag, as a variable of the environment (--data-dir is CHUKCHA_DATA_DIR), or in the\n" +
    "file named by --config or CHUKCHA_CONFIG (data_dir); the first of these counts. None is needed.",
    "Files of tokens and certificates are read again when they change; SIGHUP does that at once.",
    "SIGTERM or Ctrl-C finishes what is under way and stops; a second one stops at once.",
  ],
  flags: [...SETTINGS.map(settingFlag), CONFIG_FLAG],
  examples: [
    ["chukcha serve", "a node on 127.0.0.1:8080, with its data in ./chukcha-data"],
    [
      "chukcha serve --listen :8080 --tokens-file tokens --data-dir /srv/chukcha --sync-each-write",
      "for others, and careful",
    ],
    [
      "chukcha serve --listen :8080 --instance a --peers a=http://10.0.0.1:8080,b=http://10.0.0.2:8080 " +
      "--tokens-file tokens --cluster-token-file cluster.token",
      "one of two",
    ],
    ["CHUKCHA_LISTEN=:9000 chukcha serve --config node.json", "settings from the environment and a file"],
  ],
  run,
};

function settingFlag(setting: typeof SETTINGS[number]): Flag {
  const { flag: name, kind: { placeholder }, help } = setting;
  // A switch needs no word about being off.
  if (placeholder === undefined) return { name, help };
  return { name, placeholder, help, default: defaultText(setting) };
}

async function run({ flags, env, terminal, signal }: Invocation): Promise<number> {
  const settings = await settle(flags.entries(), env);
  // Loaded here alone: the other commands start faster without the server.
  const [{ startLogging }, { startNode }] = await Promise.all([import("./logging.ts"), import("../node.ts")]);
  const { log, close } = startLogging({
    level: settings.logLevel,
    format: settings.logFormat,
    write: (bytes) => terminal.writeLog(bytes),
  });
  try {
    const node = await startNode(settings, log).catch(cannotStart);
    announce(log, settings, node);
    const unhup = onHangup(() => void node.reload?.(), node.reload !== undefined && !terminal.watched);
    const asked = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => asked.resolve());
    if (signal.aborted) asked.resolve();
    await Promise.race([asked.promise, node.finished]);
    unhup();
    log.info("stopping");
    await node.stop();
    log.info("stopped");
    return EXIT.ok;
  } finally {
    await close();
  }
}

/** What a person who starts a node has to know, and a program can find in the log. */
function announce(
  log: Log,
  settings: Settings,
  node: { url: string; instance: string; promise: string },
): void {
  log.info(`${node.instance} serves ${node.url}`, { instance: node.instance, url: node.url });
  log.info(`data is kept in ${settings.dataDir}`, { data_dir: settings.dataDir });
  log.info(node.promise);
  const peers = settings.peers.map(({ instance }) => instance);
  if (peers.length > 0) log.info(`takes what it lacks from ${peers.join(", ")}`, { peers: peers.length });
  for (const warning of openDoors(settings)) log.warn(warning);
  const unreachable = unreachableFor(settings);
  if (unreachable !== undefined) log.warn(unreachable);
}

/** What strangers could do, or overhear, by these settings. */
export function openDoors(settings: Settings): string[] {
  const { listen, peers, tokensFile, clusterTokenFile, tlsCert } = settings;
  const far = !isLoopback(listen.hostname);
  const plainPeers = peers.filter(({ url }) => /^http:/.test(url) && !isLoopback(new URL(url).hostname));
  const doors: string[] = [];
  if (far && tokensFile === "") {
    doors.push(
      "no tokens are asked for (--insecure-no-auth): whoever reaches this node can read, write and delete",
    );
  } else if (far && tlsCert === "") {
    doors.push("tokens come in over plain HTTP, where others on the way can read them: see --tls-cert");
  }
  if (clusterTokenFile !== "" && plainPeers.length > 0) {
    doors.push(
      `the cluster token goes to ${
        plainPeers[0]!.instance
      } over plain HTTP, where others on the way can read it: ` +
        "serve TLS on all nodes, and write https:// in --peers",
    );
  }
  if (tokensFile !== "" && clusterTokenFile === "" && peers.length > 0) {
    doors.push(
      "no cluster token is asked for (--insecure-no-auth): whoever reaches this node can do what nodes do among themselves",
    );
  }
  return doors;
}

/** The default address serves this machine alone: others find out only by their own failing polls. */
export function unreachableFor({ listen, peers }: Settings): string | undefined {
  const elsewhere = peers.filter(({ url }) => !isLoopback(new URL(url).hostname));
  if (!isLoopback(listen.hostname) || elsewhere.length === 0) return undefined;
  return `this node listens on ${formatListen(listen)}, which ${
    elsewhere[0]!.instance
  } on another machine cannot ` +
    "reach: unless a proxy stands before it, choose --listen :8080 or an address of this machine";
}

async function settle(
  { config, ...flags }: Record<string, string | true>,
  env: Invocation["env"],
): Promise<Settings> {
  const path = typeof config === "string" ? config : env.CHUKCHA_CONFIG;
  const configText = path
    ? await readConfig(path, config === undefined ? "CHUKCHA_CONFIG" : "--config")
    : undefined;
  try {
    return resolveSettings({ flags, env, configText, hostname: Deno.hostname() });
  } catch (error) {
    if (error instanceof ChukchaError) throw new UsageError(error.message);
    throw error;
  }
}

async function readConfig(path: string, name: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new UsageError(`${name}: ${(error as Error).message}`);
  }
}

/** Directories in use and busy ports are for people; a defect keeps its own face. */
function cannotStart(error: unknown): never {
  const forPeople = error instanceof WrongDirectoryError || error instanceof ChukchaError ||
    (error instanceof Error && error.constructor === Error);
  if (!forPeople) throw error;
  throw new Failure(error.message, { cause: error });
}
