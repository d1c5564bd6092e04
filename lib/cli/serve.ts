/**
 * `chukcha serve`: runs a node until it is told to stop.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { Log } from "../protocol/log.ts";
import { defaultText, resolveSettings, SETTINGS, type Settings } from "../settings.ts";
import { WrongDirectoryError } from "../storage/node_file.ts";
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
    "SIGTERM or Ctrl-C finishes what is under way and stops; a second one stops at once.",
  ],
  flags: [...SETTINGS.map(settingFlag), CONFIG_FLAG],
  examples: [
    ["chukcha serve", "a node on 127.0.0.1:8080, with its data in ./chukcha-data"],
    ["chukcha serve --listen :8080 --data-dir /srv/chukcha --sync-each-write", "for others, and careful"],
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
    write: (line) => terminal.note(line.replace(/\n$/, "")),
  });
  try {
    const node = await startNode(settings, log).catch(cannotStart);
    announce(log, settings, node);
    const asked = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => asked.resolve());
    if (signal.aborted) asked.resolve();
    await Promise.race([asked.promise, node.finished]);
    log.info("stopping");
    await node.stop();
    log.info("stopped");
    return EXIT.ok;
  } finally {
    close();
  }
}

/** What a person who starts a node has to know, and a program can find in the log. */
function announce(
  log: Log,
  { dataDir }: Settings,
  node: { url: string; instance: string; promise: string },
): void {
  log.info(`${node.instance} serves ${node.url}`, { instance: node.instance, url: node.url });
  log.info(`data is kept in ${dataDir}`, { data_dir: dataDir });
  log.info(node.promise);
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
