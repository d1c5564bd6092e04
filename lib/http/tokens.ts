/**
 * The files that tokens are kept in.
 *
 * ```text
 * # --tokens-file: who, what, in which categories, and the token or its digest
 * shipper    write        logs.*         sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 * dashboard  read,admin   logs.*,orders  3b1f0c4e8a5d9276…
 *
 * # --cluster-token-file: the token that nodes show to one another; a second one is accepted besides
 * 5e884898da28047151d0e56f8dc62927…
 * ```
 *
 * Blanks or tabs stand between the fields; blank lines and lines that begin with `#` are left out. Two lines may have
 * one name: that is how a token is replaced without a gap.
 *
 * Invariant: a message names the line and the rule, and nothing that stands on the line: with its fields in the wrong
 * order, any of them may be the token. A file is taken whole or not at all.
 *
 * @module
 */
import { CATEGORY_PATTERN_RULE, isCategoryPattern } from "../protocol/category_pattern.ts";
import { TOKEN_NAME_CHARS_MAX, TOKENS_MAX } from "../protocol/limits.ts";
import { type Grant, type Right, RIGHTS } from "./rights.ts";
import { type Digest, digestOf, Digests, parseToken } from "./token_digest.ts";

const FIELDS = "NAME RIGHTS CATEGORIES TOKEN";
const NAME = new RegExp(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,${TOKEN_NAME_CHARS_MAX - 1}}$`);
/** Of one cluster: the one in use, and the one that it replaces. */
const CLUSTER_TOKENS_MAX = 2;

/** A file of tokens breaks a rule; the message names the line and the rule, never what stands there. */
export class TokenFileError extends Error {
  override readonly name = "TokenFileError";
}

/** The tokens of one file. */
export class TokenList {
  readonly #grants: readonly Grant[];
  readonly #digests: Digests;
  /** Whether a token itself stands in the file, and not only digests. */
  readonly secret: boolean;

  constructor(entries: readonly TokenEntry[]) {
    this.#grants = entries.map(({ grant }) => grant);
    this.#digests = new Digests(entries.map(({ digest }) => digest));
    this.secret = entries.some(({ secret }) => secret);
  }

  get count(): number {
    return this.#grants.length;
  }

  /** What the token with this digest is allowed. Takes the same time for all digests. */
  find(digest: Digest): Grant | undefined {
    return this.#grants[this.#digests.find(digest)];
  }
}

interface TokenEntry {
  readonly grant: Grant;
  readonly digest: Digest;
  readonly secret: boolean;
}

interface Line {
  readonly number: number;
  readonly text: string;
}

/**
 * Takes a tokens file apart.
 *
 * @throws TokenFileError
 */
export function parseTokens(text: string): TokenList {
  const lines = linesOf(text);
  if (lines.length > TOKENS_MAX) {
    throw new TokenFileError(`${lines.length} tokens, the most are ${TOKENS_MAX}`);
  }
  if (lines.length === 0) {
    throw new TokenFileError("no token in it, so nobody could do anything; make a line with `chukcha token`");
  }
  const entries = lines.map(parseEntry);
  checkTwins(lines, entries.map(({ digest }) => digest));
  return new TokenList(entries);
}

function parseEntry({ number, text }: Line): TokenEntry {
  const wrong = (what: string) => new TokenFileError(`line ${number}: ${what}`);
  const fields = text.split(/[ \t]+/);
  const [name = "", rightsText = "", categoriesText = "", token = ""] = fields;
  if (fields.length !== 4) throw wrong(`${fields.length} fields instead of the four of ${FIELDS}`);
  if (!NAME.test(name)) {
    throw wrong(
      `the first field is not a name: 1 to ${TOKEN_NAME_CHARS_MAX} of A-Z a-z 0-9 . _ -, the first not . or -`,
    );
  }
  const rights = parseRights(rightsText);
  if (!rights) throw wrong(`the second field is not a list of ${RIGHTS.join(", ")}, with commas between`);
  const categories = categoriesText.split(",");
  if (!categories.every(isCategoryPattern)) {
    throw wrong(`the third field is not ${CATEGORY_PATTERN_RULE}, or several with commas between`);
  }
  const parsed = parseToken(token);
  if ("wrong" in parsed) throw wrong(parsed.wrong);
  return { grant: { name, rights, categories }, ...parsed };
}

/** Rights as they are written; `undefined` for what is none. */
export function parseRights(text: string): readonly Right[] | undefined {
  const names = text.split(",");
  const known = RIGHTS.filter((right) => names.includes(right));
  return known.length === names.length ? known : undefined;
}

/** Whether this can be the name of a token. */
export function isTokenName(text: string): boolean {
  return NAME.test(text);
}

/** What nodes show to one another. */
export interface ClusterTokens {
  /** The one that is shown. */
  readonly own: string;
  /** Whether the token with this digest is one of them. Takes the same time for all digests. */
  accepts(digest: Digest): boolean;
}

/**
 * Takes a file with a cluster token apart: one line; two while one token replaces another.
 *
 * @throws TokenFileError
 */
export function parseClusterTokens(text: string): ClusterTokens {
  const lines = linesOf(text);
  const own = lines[0]?.text;
  if (own === undefined || lines.length > CLUSTER_TOKENS_MAX) {
    throw new TokenFileError(
      `${lines.length} lines with tokens instead of one, or two while one replaces the other: ` +
        "the first is shown to other nodes, both are accepted from them",
    );
  }
  for (const { number, text } of lines) {
    const parsed = parseToken(text);
    if ("wrong" in parsed) throw new TokenFileError(`line ${number}: ${parsed.wrong}`);
    if (!parsed.secret) {
      throw new TokenFileError(`line ${number}: a digest, but the cluster token itself has to be sent`);
    }
  }
  const digests = lines.map(({ text }) => digestOf(text));
  checkTwins(lines, digests);
  const all = new Digests(digests);
  return { own, accepts: (digest) => all.find(digest) >= 0 };
}

function linesOf(text: string): Line[] {
  return text.replace(/^\uFEFF/, "").split("\n").map((line, i) => ({ number: i + 1, text: line.trim() }))
    .filter(({ text }) => text !== "" && !text.startsWith("#"));
}

/** One token, two meanings: which of them counts would depend on the order of the lines. */
function checkTwins(lines: readonly Line[], digests: readonly Digest[]): void {
  const seen = new Map<string, number>();
  digests.forEach((digest, i) => {
    const { number } = lines[i]!;
    const first = seen.get(digest.join());
    if (first !== undefined) throw new TokenFileError(`line ${number}: the same token as on line ${first}`);
    seen.set(digest.join(), number);
  });
}
