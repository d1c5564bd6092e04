/**
 * The settings of a node: their shape, their defaults, and the one table that flags, environment, configuration file
 * and help are made from.
 *
 * Flag > environment > configuration file > default. Whatever is not known, or not allowed, is an error that names the
 * setting as the user wrote it, where it came from, the value and the rule: a misspelt setting that is silently ignored
 * is found out on the day of the crash that it should have covered. Pure: files and environment are passed in.
 *
 * @module
 */
import {
  type CategoryLimits,
  formatCategoryLimits,
  parseCategoryChoice,
  parseCategoryLimits,
} from "./protocol/category_limits.ts";
import { ChukchaError, quote } from "./protocol/errors.ts";
import { parseOrigins } from "./protocol/origins.ts";
import * as limits from "./protocol/limits.ts";
import { isInstance } from "./protocol/names.ts";
import { formatPeers, isLoopback, parsePeers, type PeerAddress } from "./peers.ts";
import {
  DURATION_RULE,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_RULE,
} from "./quantities.ts";
import { didYouMean } from "./suggest.ts";

/** How much the log says. */
export type LogLevel = "debug" | "info" | "warn" | "error";
/** How a line of the log looks. */
export type LogFormat = "text" | "json";
/** Where a node listens. */
export interface ListenAddress {
  /** A name or an address, without brackets. */
  readonly hostname: string;
  /** 0 lets the system choose one. */
  readonly port: number;
}

/** What can be set on a node. */
export interface Settings {
  /** The node's name: part of the names of its chunks. */
  readonly instance: string;
  readonly dataDir: string;
  readonly listen: ListenAddress;
  /** Bytes after which a chunk is complete. */
  readonly maxChunkSize: number;
  /** Age after which a chunk is complete. */
  readonly rotateIntervalMs: number;
  /** Bytes, without the `\n`. */
  readonly maxMessageSize: number;
  /** Bytes of one write, after decoding. */
  readonly maxBatchSize: number;
  /** Whether each write that does not say otherwise is answered only after its sync. */
  readonly syncEachWrite: boolean;
  /** The other nodes of the cluster; this one is never among them. */
  readonly peers: readonly PeerAddress[];
  /** How many other nodes must hold each write that does not say otherwise before it is answered. */
  readonly minSyncReplicas: number;
  /** How long a node may stay away before its last chunks are completed without it. */
  readonly finalizeAfterMs: number;
  /** Age at which the chunks of a category are deleted, by pattern; none: never. */
  readonly retentionAge: CategoryLimits;
  /** Bytes that a category may hold before its oldest chunks are deleted, by pattern; none: any. */
  readonly retentionSize: CategoryLimits;
  /** Categories whose chunks are deleted once every named consumer has passed them, by pattern; none: never. */
  readonly retentionConsumed: CategoryLimits;
  /** Whether an empty data directory takes writes without asking the peers which chunk numbers it has used before. */
  readonly bootstrap: boolean;
  /** Bytes that must be free on the data directory's file system for writes to be taken. */
  readonly minFreeDisk: number;
  /** Connections that are held at once. */
  readonly maxConnections: number;
  /** File of the tokens that requests must bear; empty: none is asked for. */
  readonly tokensFile: string;
  /** File of the token that the nodes of the cluster show to one another; empty: none. */
  readonly clusterTokenFile: string;
  /** Files of the certificate and the key that TLS is served with; both empty: plain HTTP is. */
  readonly tlsCert: string;
  readonly tlsKey: string;
  /** File of the authorities that certificates of other nodes may come from, besides those of the system; empty: none. */
  readonly tlsCa: string;
  /** Whether whoever reaches the node may do everything. */
  readonly insecureNoAuth: boolean;
  /** Origins whose web pages may use the node from a browser; `*` is all of them, none: no page may. */
  readonly corsOrigin: readonly string[];
  /** Over how long a round over all complete chunks is spread that looks for rot; 0 for none. */
  readonly scrubIntervalMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/** The defaults; `instance` comes from the host name. */
export const DEFAULT_SETTINGS: Omit<Settings, "instance"> = {
  dataDir: "./chukcha-data",
  listen: { hostname: "127.0.0.1", port: 8080 },
  maxChunkSize: limits.CHUNK_BYTES_MAX_DEFAULT,
  rotateIntervalMs: limits.ROTATE_INTERVAL_MS_DEFAULT,
  maxMessageSize: limits.MESSAGE_BYTES_MAX_DEFAULT,
  maxBatchSize: limits.BATCH_BYTES_MAX_DEFAULT,
  syncEachWrite: false,
  peers: [],
  minSyncReplicas: 0,
  finalizeAfterMs: limits.FINALIZE_AFTER_MS_DEFAULT,
  retentionAge: [],
  retentionSize: [],
  retentionConsumed: [],
  bootstrap: false,
  minFreeDisk: limits.MIN_FREE_DISK_BYTES_DEFAULT,
  maxConnections: limits.CONNECTIONS_MAX_DEFAULT,
  tokensFile: "",
  clusterTokenFile: "",
  tlsCert: "",
  tlsKey: "",
  tlsCa: "",
  insecureNoAuth: false,
  corsOrigin: [],
  scrubIntervalMs: limits.SCRUB_INTERVAL_MS_DEFAULT,
  logLevel: "info",
  logFormat: "text",
};

/** How the text of a value becomes the value. */
interface Kind<T> {
  /** What stands for the value in the help; absent for a switch. */
  readonly placeholder?: string;
  /** The rule, to follow "is not". */
  readonly rule: string;
  /** `undefined` if the text breaks the rule; a ChukchaError where there is more to tell than the rule. */
  parse(text: string): T | undefined;
  /** How a default is shown in the help. */
  show(value: T): string;
}

const between = (value: number | undefined, min: number, max: number): number | undefined =>
  value !== undefined && value >= min && value <= max ? value : undefined;

const size = (min: number, max: number): Kind<number> => ({
  placeholder: "SIZE",
  rule: `${SIZE_RULE}, from ${formatSize(min)} to ${formatSize(max)}`,
  parse: (text) => between(parseSize(text), min, max),
  show: (bytes) => formatSize(bytes).replace(" ", ""),
});

const duration = (minMs: number, maxMs: number): Kind<number> => ({
  placeholder: "TIME",
  rule: `${DURATION_RULE}, from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`,
  parse: (text) => between(parseDuration(text), minMs, maxMs),
  show: (ms) => formatDuration(ms),
});

/** A duration that "off" makes 0. */
const durationOrOff = (minMs: number, maxMs: number): Kind<number> => {
  const { placeholder, rule, parse, show } = duration(minMs, maxMs);
  return {
    placeholder: `${placeholder}|off`,
    rule: `${rule}, or off`,
    parse: (text) => text === "off" || text === "0" ? 0 : parse(text),
    show: (ms) => ms === 0 ? "off" : show(ms),
  };
};

const oneOf = <T extends string>(...values: T[]): Kind<T> => ({
  placeholder: values.join("|"),
  rule: `one of ${values.join(", ")}`,
  parse: (text) => values.find((value) => value === text),
  show: (value) => value,
});

const TRUE = ["1", "true", "yes", "on"];
const FALSE = ["0", "false", "no", "off"];

const flag: Kind<boolean> = {
  rule: "one of true, false, 1, 0, yes, no, on, off",
  parse: (text) =>
    TRUE.includes(text.toLowerCase()) || (FALSE.includes(text.toLowerCase()) ? false : undefined),
  show: String,
};

const directory: Kind<string> = {
  placeholder: "DIR",
  rule: "a path",
  parse: (text) => text === "" || text.includes("\0") ? undefined : text,
  show: (path) => path,
};

const file: Kind<string> = { ...directory, placeholder: "FILE", show: (path) => path || "none" };

const instanceName: Kind<string> = {
  placeholder: "NAME",
  rule: "an instance: 1 to 64 of A-Z a-z 0-9 _ -, the first not -",
  parse: (text) => isInstance(text) ? text : undefined,
  show: (name) => name,
};

const address: Kind<ListenAddress> = {
  placeholder: "HOST:PORT",
  rule: "an address like 127.0.0.1:8080, [::1]:8080, or :8080 for every interface",
  parse: parseListen,
  show: formatListen,
};

const count = (min: number, max: number): Kind<number> => ({
  placeholder: "N",
  rule: `a whole number from ${min} to ${max}`,
  parse: (text) => /^\d{1,9}$/.test(text) ? between(Number(text), min, max) : undefined,
  show: String,
});

const peerList: Kind<readonly PeerAddress[]> = {
  placeholder: "NAME=URL,…",
  rule: "a list like node_2=http://10.0.0.2:8080,node_3=http://10.0.0.3:8080",
  parse: parsePeers,
  show: (peers) => formatPeers(peers) || "none",
};

/** A limit for each category by its pattern: `logs.*=7d,audit=off,30d`. */
const perCategory = ({ placeholder, rule, parse }: Kind<number>): Kind<CategoryLimits> => ({
  placeholder: `[PATTERN=]${placeholder},…`,
  rule,
  parse: (text) => parseCategoryLimits(text, parse, rule),
  show: formatCategoryLimits,
});

/** Some categories by their patterns: `logs.*,web` or `audit=off,*`. */
const somePatterns: Kind<CategoryLimits> = {
  placeholder: "PATTERN[=off],…",
  rule: "patterns of categories like logs.*,web or audit=off,*",
  parse: parseCategoryChoice,
  show: formatCategoryLimits,
};

/** `https://app.example,http://127.0.0.1:3000`, or `*`. */
const origins: Kind<readonly string[]> = {
  placeholder: "ORIGIN,…",
  rule: "origins like https://app.example,http://127.0.0.1:3000 (no path, no user), or *",
  parse: parseOrigins,
  show: (value) => value.length === 0 ? "none" : value.join(","),
};

/** One row of the table. */
export interface SettingRow<K extends keyof Settings = keyof Settings> {
  readonly key: K;
  /** Without its dashes; environment and configuration file derive their names from it. */
  readonly flag: string;
  readonly kind: Kind<Settings[K]>;
  /** One phrase for the help. */
  readonly help: string;
}

const row = <K extends keyof Settings>(
  key: K,
  name: string,
  kind: Kind<Settings[K]>,
  help: string,
): SettingRow => ({ key, flag: name, kind, help }) as unknown as SettingRow;

const TIB = 1024 * 1024 * limits.MIB;
const YEAR_MS = 365 * 86_400_000;

/** Every setting: the one place to add another. */
export const SETTINGS: readonly SettingRow[] = [
  row("instance", "instance", instanceName, "name of this node, unique in its cluster; never change it"),
  row("dataDir", "data-dir", directory, "where everything is kept"),
  row("listen", "listen", address, "address to serve on; port 0 takes a free one"),
  row("maxChunkSize", "max-chunk-size", size(limits.KIB, TIB), "a chunk of this size is complete"),
  row("rotateIntervalMs", "rotate-interval", duration(1, YEAR_MS), "a chunk of this age is complete"),
  row("maxMessageSize", "max-message-size", size(1, limits.BATCH_BYTES_CEILING), "longest message"),
  row("maxBatchSize", "max-batch-size", size(1, limits.BATCH_BYTES_CEILING), "largest batch, after decoding"),
  row("syncEachWrite", "sync-each-write", flag, "answer a write only when it would survive a power loss"),
  row("peers", "peers", peerList, "the other nodes of the cluster; this one may be among them"),
  row(
    "minSyncReplicas",
    "min-sync-replicas",
    count(0, limits.PEERS_MAX),
    "answer a write once N others hold it",
  ),
  row(
    "finalizeAfterMs",
    "finalize-after",
    duration(1000, YEAR_MS),
    "complete chunks of a node gone this long",
  ),
  row(
    "retentionAge",
    "retention-age",
    perCategory(duration(limits.RETENTION_AGE_MS_MIN, 100 * YEAR_MS)),
    "delete chunks this long after their last message",
  ),
  row(
    "retentionSize",
    "retention-size",
    perCategory(size(limits.MIB, 1024 * TIB)),
    "delete the oldest chunks of a category that holds more",
  ),
  row(
    "retentionConsumed",
    "retention-consumed",
    somePatterns,
    "delete chunks of these categories once every named consumer has passed them",
  ),
  row("bootstrap", "bootstrap", flag, "take writes into an empty directory without asking the peers first"),
  row("minFreeDisk", "min-free-disk", size(0, 1024 * TIB), "refuse writes while less than this is free"),
  row("maxConnections", "max-connections", count(1, 100_000_000), "connections held at once"),
  row(
    "tokensFile",
    "tokens-file",
    file,
    "tokens that requests must bear; `chukcha token` makes lines for it",
  ),
  row("clusterTokenFile", "cluster-token-file", file, "token that nodes show to one another"),
  row("tlsCert", "tls-cert", file, "certificate (PEM) to serve TLS with"),
  row("tlsKey", "tls-key", file, "its key"),
  row("tlsCa", "tls-ca", file, "authorities (PEM) of other nodes' certificates, besides the usual ones"),
  row("insecureNoAuth", "insecure-no-auth", flag, "let whoever reaches this node do everything"),
  row("corsOrigin", "cors-origin", origins, "let web pages of these origins use the node; `*`: all pages"),
  row(
    "scrubIntervalMs",
    "scrub-interval",
    durationOrOff(100, YEAR_MS),
    "look at all complete chunks for rot within this time, again and again",
  ),
  row("logLevel", "log-level", oneOf("debug", "info", "warn", "error"), "how much is logged to stderr"),
  row("logFormat", "log-format", oneOf("text", "json"), "how a line of the log looks"),
];

/** Names that begin like ours in the environment, and are not settings of a node. */
const OTHER_ENVIRONMENT = ["CHUKCHA_CONFIG", "CHUKCHA_SERVER", "CHUKCHA_TOKEN", "CHUKCHA_CA"];
/** What Kubernetes puts into every container beside a Service whose name begins with `chukcha`. */
const KUBERNETES_LINK =
  /^CHUKCHA_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)$/;

/** The name of a setting in the environment: `data-dir` is `CHUKCHA_DATA_DIR`. */
export function environmentName(name: string): string {
  return `CHUKCHA_${configName(name).toUpperCase()}`;
}

/** The name of a setting in a configuration file: `data-dir` is `data_dir`. */
export function configName(name: string): string {
  return name.replaceAll("-", "_");
}

/** The default of a row, as the help shows it. */
export function defaultText({ key, kind }: SettingRow): string {
  return key === "instance" ? "the host name" : kind.show(DEFAULT_SETTINGS[key] as never);
}

/** What {@linkcode resolveSettings} works from. */
export interface SettingSources {
  /** By flag name without dashes; a switch that stands alone is `true`. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of the configuration file, if there is one. */
  readonly configText?: string | undefined;
  readonly hostname: string;
}

/** A value as it was written, and where. */
interface Given {
  /** The setting as the user wrote it, with its place: `--listen`, `CHUKCHA_LISTEN (environment)`. */
  readonly name: string;
  readonly text: string;
}

/**
 * The settings that the sources amount to.
 *
 * @throws ChukchaError `invalid_parameter` naming the setting, where it came from, the value and the rule
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { resolveSettings } from "./settings.ts";
 * const settings = resolveSettings({
 *   flags: { listen: "[::1]:9000" },
 *   env: { CHUKCHA_LISTEN: ":9001", CHUKCHA_MAX_CHUNK_SIZE: "1MiB" },
 *   configText: `{ "data_dir": "/srv/chukcha" }`,
 *   hostname: "mail.example.com",
 * });
 * assertEquals(settings.listen, { hostname: "::1", port: 9000 });
 * assertEquals(settings.maxChunkSize, 1024 * 1024);
 * assertEquals(settings.dataDir, "/srv/chukcha");
 * assertEquals(settings.instance, "mail-example-com");
 * ```
 */
export function resolveSettings(sources: SettingSources): Settings {
  // The weakest source first: what comes later replaces it.
  const given = new Map([
    ...fromConfig(sources.configText),
    ...fromEnvironment(sources.env),
    ...fromFlags(sources.flags),
  ]);
  const settings: Record<string, unknown> = {
    ...DEFAULT_SETTINGS,
    instance: instanceFromHostname(sources.hostname),
  };
  for (const { key, flag, kind } of SETTINGS) {
    const { name, text } = given.get(flag) ?? {};
    if (name === undefined || text === undefined) continue;
    settings[key] = parse(kind, name, text);
  }
  const all = settings as unknown as Settings;
  const resolved = { ...all, peers: all.peers.filter((peer) => peer.instance !== all.instance) };
  checkTogether(resolved, given);
  return resolved;
}

function parse(kind: Kind<unknown>, name: string, text: string): unknown {
  try {
    const value = kind.parse(text);
    if (value !== undefined) return value;
  } catch (error) {
    throw error instanceof ChukchaError ? invalid(`${name}: ${error.message}`) : error;
  }
  throw invalid(`${name}: ${quote(text)} is not ${kind.rule}`);
}

/** Rules between settings. A batch larger than a chunk is fine: the chunk holds it alone. */
function checkTogether(settings: Settings, given: ReadonlyMap<string, Given>): void {
  const { maxMessageSize, maxBatchSize, peers, minSyncReplicas, instance, listen } = settings;
  const describe = (flag: string, text: string) => {
    const found = given.get(flag);
    return found ? `${found.name}: ${quote(found.text)}` : `--${flag} (default): ${quote(text)}`;
  };
  if (maxMessageSize > maxBatchSize) {
    throw invalid(
      `${describe("max-message-size", formatSize(maxMessageSize))} is more than ` +
        `${describe("max-batch-size", formatSize(maxBatchSize))}: a message must fit into a batch`,
    );
  }
  if (peers.length > limits.PEERS_MAX) {
    throw invalid(`${describe("peers", "")}: ${peers.length} other nodes, the most are ${limits.PEERS_MAX}`);
  }
  if (minSyncReplicas > peers.length) {
    const others = peers.length === 1 ? "1 other node" : `${peers.length} other nodes`;
    throw invalid(
      `${describe("min-sync-replicas", "0")} is more than the ${others} of ${describe("peers", "none")}: ` +
        "no write could ever be answered",
    );
  }
  const mirror = peers.find(({ url }) => url.replace(/^https?:\/\//, "") === formatListen(listen));
  if (mirror) {
    throw invalid(
      `${describe("peers", "")}: ${quote(mirror.instance)} is where this node itself listens, which is ` +
        `${describe("instance", instance)}: its own entry must bear its own name`,
    );
  }
  checkSecurity(settings, describe);
}

/** Doors that would be left open are left open only by those who say so. */
function checkSecurity(settings: Settings, describe: (flag: string, text: string) => string): void {
  const { listen, peers, tokensFile, clusterTokenFile, tlsCert, tlsKey, insecureNoAuth } = settings;
  if ((tlsCert === "") !== (tlsKey === "")) {
    const [there, missing] = tlsKey === "" ? ["tls-cert", "tls-key"] : ["tls-key", "tls-cert"];
    throw invalid(
      `${describe(there, "")} needs --${missing} FILE with it: a certificate and its key are a pair`,
    );
  }
  if (insecureNoAuth) return;
  if (tokensFile === "" && !isLoopback(listen.hostname)) {
    throw invalid(
      `${
        describe("listen", formatListen(listen))
      } can be reached from other machines, and everybody there could ` +
        "read, write and delete: give --tokens-file FILE (`chukcha token` makes lines for it), or listen on " +
        `127.0.0.1:${listen.port} for this machine alone, or say --insecure-no-auth if something else keeps strangers out`,
    );
  }
  if (tokensFile !== "" && clusterTokenFile === "" && peers.length > 0) {
    throw invalid(
      `${
        describe("peers", "")
      }: with --tokens-file, other nodes need a token too, or everybody could read and change ` +
        "everything as if they were one: give all nodes one --cluster-token-file FILE (`chukcha token > FILE` makes " +
        "it), or say --insecure-no-auth if something else keeps strangers out",
    );
  }
}

function fromFlags(flags: SettingSources["flags"]): [string, Given][] {
  const known = SETTINGS.map(({ flag }) => flag);
  return Object.entries(flags).flatMap(([flag, value]) => {
    if (value === undefined) return [];
    if (!known.includes(flag)) throw invalid(`--${flag}: no such flag${didYouMean(flag, known, "--")}`);
    return [[flag, { name: `--${flag}`, text: String(value) }]];
  });
}

function fromEnvironment(env: SettingSources["env"]): [string, Given][] {
  const flags = new Map(SETTINGS.map(({ flag }) => [environmentName(flag), flag]));
  return Object.entries(env).flatMap(([name, text]) => {
    if (text === undefined || !name.startsWith("CHUKCHA_") || OTHER_ENVIRONMENT.includes(name)) return [];
    const flag = flags.get(name);
    if (flag !== undefined) return [[flag, { name: `${name} (environment)`, text }]];
    if (KUBERNETES_LINK.test(name)) return [];
    const hint = didYouMean(name, [...flags.keys(), ...OTHER_ENVIRONMENT]);
    // It may be a token whose variable was misspelt.
    const value = /TOKEN|SECRET|PASSWORD|KEY/.test(name + hint) ? "its value" : quote(text);
    throw invalid(`${name} (environment): ${value} sets nothing: no such setting${hint}`);
  });
}

function fromConfig(configText: string | undefined): [string, Given][] {
  if (configText === undefined) return [];
  const flags = new Map(SETTINGS.map(({ flag }) => [configName(flag), flag]));
  return Object.entries(parseConfig(configText)).map(([key, value]) => {
    const name = `${key} (config file)`;
    const flag = flags.get(key);
    if (flag === undefined) throw invalid(`${name}: no such setting${didYouMean(key, flags.keys())}`);
    if (!["string", "number", "boolean"].includes(typeof value)) {
      throw invalid(`${name}: ${quote(JSON.stringify(value))} is not a string, a number, true or false`);
    }
    return [flag, { name, text: String(value) }];
  });
}

function parseConfig(configText: string): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(configText);
  } catch (cause) {
    throw invalid(`--config: the file is not JSON: ${(cause as Error).message}`);
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  throw invalid(`--config: the file is not a JSON object like {"data_dir": "/srv/chukcha"}`);
}

function invalid(message: string): ChukchaError {
  return new ChukchaError("invalid_parameter", message);
}

/** A legal instance name made of a host name. */
export function instanceFromHostname(hostname: string): string {
  const legal = hostname.replaceAll(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+/, "").slice(0, 64).replace(
    /-+$/,
    "",
  );
  return legal === "" ? "chukcha" : legal;
}

/** Takes an address to listen on apart; `undefined` if it is none. */
export function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) return undefined;
  // `:8080` is what people write for "every interface"; 0.0.0.0 also works where IPv6 is switched off.
  return { hostname: match[1] ?? (match[2] || "0.0.0.0"), port };
}

/** The reverse of {@linkcode parseListen}. */
export function formatListen({ hostname, port }: ListenAddress): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
