/**
 * The node that a command talks to: `--server`, else `CHUKCHA_SERVER`, else the default of `serve`; what it is shown,
 * `--token-file`, else `CHUKCHA_TOKEN`; and whom its certificate may come from, `--ca`, else `CHUKCHA_CA`.
 *
 * Several may be named. Only `tail --consumer` goes on at another one, since only a consumer's place is the same
 * everywhere; all other commands take the first.
 *
 * There is no flag for a token itself: whatever is on a command line can be read by every user of the machine.
 *
 * @module
 */
import { ChukchaClient, ChukchaError, type ClientOptions, SERVER_DEFAULT, Servers } from "../client/mod.ts";
import { quote } from "../protocol/errors.ts";
import { checkCategory, checkChunk, checkConsumer } from "../protocol/names.ts";
import { type Flag, type Invocation, UsageError } from "./command.ts";

const SERVER_FLAG: Flag = {
  name: "server",
  placeholder: "URL[,URL…]",
  help: "the node to talk to; also CHUKCHA_SERVER. Of several, `tail --consumer` takes the next if one fails",
  default: SERVER_DEFAULT,
};

/** The other flags of every command that talks to a node. */
const TOKEN_FILE_FLAG: Flag = {
  name: "token-file",
  placeholder: "FILE",
  help: "file with the token to show to the node; else CHUKCHA_TOKEN is shown",
};
const CA_FLAG: Flag = {
  name: "ca",
  placeholder: "FILE",
  help: "authorities (PEM) of the node's certificate, besides the usual ones; also CHUKCHA_CA",
};

/** Flags of every command that talks to a node. */
export const NODE_FLAGS: readonly Flag[] = [SERVER_FLAG, TOKEN_FILE_FLAG, CA_FLAG];

/** Flag of every command whose output a program may read. */
export const JSON_FLAG: Flag = { name: "json", help: "print JSON, for programs" };

/** A client for the node that was asked for. */
export function connect({ flags, env }: Pick<Invocation, "flags" | "env">): ChukchaClient {
  return connecting(
    { flags, env },
    ([server], options) => new ChukchaClient({ server: server!, ...options }),
  );
}

/** Clients for all nodes that were asked for. */
export function connectAll({ flags, env }: Pick<Invocation, "flags" | "env">): Servers {
  return connecting({ flags, env }, (servers, options) => new Servers({ servers, ...options }));
}

function connecting<T>(
  { flags, env }: Pick<Invocation, "flags" | "env">,
  make: (servers: readonly string[], options: Omit<ClientOptions, "server">) => T,
): T {
  const flag = flags.text("server");
  const named = (flag ?? (env.CHUKCHA_SERVER || SERVER_DEFAULT)).split(",").map((text) => text.trim());
  // What people copy from the line that `serve` prints, or from --listen, may lack its scheme.
  const servers = named.map((text) => text.includes("://") ? text : `http://${text}`);
  try {
    return make(servers, { ...tokenOf({ flags, env }), ...fetchOf({ flags, env }, servers) });
  } catch (error) {
    if (!(error instanceof ChukchaError)) throw error;
    const place = flag === undefined ? "CHUKCHA_SERVER (environment)" : "--server";
    throw new UsageError(
      error.message.replace(/^server/, place).replace(/^token/, "CHUKCHA_TOKEN (environment)")
        .replace("the option token", "a file for --token-file, or CHUKCHA_TOKEN"),
    );
  }
}

/** A file is read again for each request: who follows a category for months gets a new token with it. */
function tokenOf({ flags, env }: Pick<Invocation, "flags" | "env">): Pick<ClientOptions, "token"> {
  const path = flags.text("token-file");
  if (path === undefined) return env.CHUKCHA_TOKEN ? { token: env.CHUKCHA_TOKEN.trim() } : {};
  readFile(path, "--token-file");
  return { token: async () => (await Deno.readTextFile(path)).trim() };
}

/** HTTP/1 for TLS: reused connections of HTTP/2 can stall. */
function fetchOf(
  { flags, env }: Pick<Invocation, "flags" | "env">,
  servers: readonly string[],
): Pick<ClientOptions, "fetch"> {
  const flag = flags.text("ca");
  const path = flag ?? env.CHUKCHA_CA;
  const name = flag === undefined ? "CHUKCHA_CA (environment)" : "--ca";
  const text = path ? readFile(path, name) : undefined;
  if (text !== undefined && !text.includes("-----BEGIN CERTIFICATE-----")) {
    throw new UsageError(`${name}: no certificate in ${quote(path!)}: PEM is expected`);
  }
  if (!servers.some((server) => server.startsWith("https:"))) return {};
  try {
    const client = Deno.createHttpClient({ http2: false, ...(text !== undefined && { caCerts: [text] }) });
    return { fetch: (input, init) => fetch(input, { ...init, client } as RequestInit) };
  } catch (error) {
    throw new UsageError(`${name}: ${quote(path ?? "")}: ${(error as Error).message}`);
  }
}

function readFile(path: string, name: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new UsageError(`${name}: ${(error as Error).message}`);
  }
}

/** The category that a command was given. */
export function categoryArgument(text = ""): string {
  return usage(() => checkCategory(text, "CATEGORY"));
}

/** The chunk that a command was given, by an argument or a flag of that name. */
export function chunkArgument(text: string, name: string): string {
  return usage(() => checkChunk(text, name));
}

/** The consumer that a command was given, by an argument or a flag of that name. */
export function consumerArgument(text: string, name: string): string {
  return usage(() => checkConsumer(text, name));
}

function usage<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof ChukchaError ? new UsageError(error.message) : error;
  }
}
