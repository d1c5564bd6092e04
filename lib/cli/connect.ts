/**
 * The node that a command talks to: `--server`, else `CHUKCHA_SERVER`, else the default of `serve`.
 *
 * @module
 */
import { ChukchaClient, ChukchaError, SERVER_DEFAULT } from "../client/mod.ts";
import { checkCategory, checkChunk } from "../protocol/names.ts";
import { type Flag, type Invocation, UsageError } from "./command.ts";

/** Flag of every command that talks to a node. */
export const SERVER_FLAG: Flag = {
  name: "server",
  placeholder: "URL",
  help: "the node to talk to; also CHUKCHA_SERVER",
  default: SERVER_DEFAULT,
};

/** Flag of every command whose output a program may read. */
export const JSON_FLAG: Flag = { name: "json", help: "print JSON, for programs" };

/** A client for the node that was asked for. */
export function connect({ flags, env }: Pick<Invocation, "flags" | "env">): ChukchaClient {
  const flag = flags.text("server");
  const text = flag ?? (env.CHUKCHA_SERVER || SERVER_DEFAULT);
  // What people copy from the line that `serve` prints, or from --listen, may lack its scheme.
  const server = text.includes("://") ? text : `http://${text}`;
  try {
    return new ChukchaClient({ server });
  } catch (error) {
    if (!(error instanceof ChukchaError)) throw error;
    const place = flag === undefined ? "CHUKCHA_SERVER (environment)" : "--server";
    throw new UsageError(error.message.replace(/^server/, place));
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

function usage<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof ChukchaError ? new UsageError(error.message) : error;
  }
}
