/**
 * `chukcha token`: makes a token, and the line for the file of a node that lets it in.
 *
 * The line holds the token's digest, so that the file of a node is no secret; the token itself is shown once, apart from
 * the line, so that `>> tokens` puts nothing else into the file.
 *
 * @module
 */
import { RIGHTS } from "../http/rights.ts";
import { CATEGORY_PATTERN_RULE, isCategoryPattern } from "../protocol/category_pattern.ts";
import { quote } from "../protocol/errors.ts";
import { TOKEN_NAME_CHARS_MAX } from "../protocol/limits.ts";
import { type Command, EXIT, type Invocation, UsageError } from "./command.ts";

/** Of a token: nobody guesses 256 bits. */
const TOKEN_BYTES = 32;
const PRIVATE = 0o600;

/** The command. */
export const token: Command = {
  name: "token",
  positionals: ["[NAME]", "[RIGHTS]", "[CATEGORIES]"],
  summary: "make a token, and the line that lets it in",
  about: [
    "Prints a line for the file of --tokens-file: the name, the rights (of " +
    `${RIGHTS.join(", ")}, with commas between), patterns of\n` +
    "categories like logs.*,orders (default: *), and a digest of the token. The token itself is told on stderr, once, or\n" +
    "put into the file of --out; the node does not know it.",
    "Without any argument it prints a bare token, as for --cluster-token-file.",
  ],
  flags: [
    { name: "out", placeholder: "FILE", help: "put the token into this file, which must not exist yet" },
  ],
  examples: [
    [
      "chukcha token shipper write 'logs.*' --out shipper.token >> tokens",
      "may write categories like logs.web",
    ],
    ["chukcha token ops read,admin >> tokens", "may read everything, and see how nodes are"],
    ["(umask 077; chukcha token > cluster.token)", "for the nodes of a cluster among themselves"],
  ],
  run,
};

async function run({ positionals, flags, terminal }: Invocation): Promise<number> {
  const [name, rights, categories = "*"] = positionals;
  const out = flags.text("out");
  const made = make();
  if (name === undefined) {
    if (out === undefined) await terminal.print(made);
    else await keep(out, made);
    return EXIT.ok;
  }
  // Loaded here alone: the other commands start faster without cryptography.
  const [{ formatDigest }, tokens] = await Promise.all([
    import("../http/token_digest.ts"),
    import("../http/tokens.ts"),
  ]);
  const line = `${name} ${checkedRights(tokens, name, rights, categories)} ${categories} ${
    formatDigest(made)
  }`;
  if (out === undefined) terminal.note(`the token of ${name}, which is shown only now: ${made}`);
  else await keep(out, made);
  await terminal.print(line);
  return EXIT.ok;
}

function make(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The rights, once all three are known to be what a file may have. */
function checkedRights(
  { isTokenName, parseRights }: typeof import("../http/tokens.ts"),
  name: string,
  rights: string | undefined,
  categories: string,
): string {
  if (!isTokenName(name)) {
    throw new UsageError(
      `NAME: ${quote(name)} is not 1 to ${TOKEN_NAME_CHARS_MAX} of A-Z a-z 0-9 . _ -, the first not . or -`,
    );
  }
  if (rights === undefined) throw new UsageError(`RIGHTS is missing: ${RIGHTS.join(", ")}, or several`);
  if (!parseRights(rights)) {
    throw new UsageError(
      `RIGHTS: ${quote(rights)} is not a list of ${RIGHTS.join(", ")}, with commas between`,
    );
  }
  const wrong = categories.split(",").find((pattern) => !isCategoryPattern(pattern));
  if (wrong !== undefined) {
    throw new UsageError(`CATEGORIES: ${quote(wrong)} is not ${CATEGORY_PATTERN_RULE}`);
  }
  return rights;
}

async function keep(path: string, made: string): Promise<void> {
  try {
    await Deno.writeTextFile(path, `${made}\n`, { createNew: true, mode: PRIVATE });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new UsageError(`--out: ${quote(path)} exists; a token that may be in use is not written over`);
  }
}
