/**
 * Tokens as their digests: how a token is judged when it is set, and found when it is shown.
 *
 * Only SHA-256 digests are kept and compared. Tokens are random and long, so a fast digest is as good as a slow one.
 * The time of a search does not depend on what is searched for: all digests are looked at, whole.
 *
 * @module
 */
import { hash } from "node:crypto";
import { Buffer } from "node:buffer";
import { TOKEN_CHARS_MAX, TOKEN_CHARS_MIN, TOKEN_DISTINCT_CHARS_MIN } from "../protocol/limits.ts";

/** Words of 32 bits of a SHA-256. */
const WORDS = 8;
/** What stands before a digest where a token could stand. */
const DIGEST_PREFIX = "sha256:";
const DIGEST = /^sha256:[0-9a-f]{64}$/i;
const PRINTABLE = /^[!-~]+$/;

/** A SHA-256, as words. */
export type Digest = Int32Array;

/** The digest of a token. */
export function digestOf(token: string): Digest {
  return wordsOf(hash("sha256", token, "buffer"));
}

/** How the digest of a token is written into a file. */
export function formatDigest(token: string): string {
  return DIGEST_PREFIX + hash("sha256", token, "hex");
}

/** A token, or the digest that stands for it; or what is wrong with it, in words that never contain it. */
export function parseToken(text: string): { digest: Digest; secret: boolean } | { wrong: string } {
  if (text.toLowerCase().startsWith(DIGEST_PREFIX)) {
    if (!DIGEST.test(text)) return { wrong: "what follows sha256: is not 64 hexadecimal digits" };
    return { digest: wordsOf(Buffer.from(text.slice(DIGEST_PREFIX.length), "hex")), secret: false };
  }
  const wrong = weaknessOf(text);
  return wrong === undefined ? { digest: digestOf(text), secret: true } : { wrong };
}

function weaknessOf(token: string): string | undefined {
  const make = "make one with `chukcha token` or `openssl rand -hex 32`";
  if (!PRINTABLE.test(token)) return "the token has characters other than visible ASCII";
  if (token.length < TOKEN_CHARS_MIN) {
    return `the token has ${token.length} characters, the fewest are ${TOKEN_CHARS_MIN}; ${make}`;
  }
  if (token.length > TOKEN_CHARS_MAX) {
    return `the token has ${token.length} characters, the most are ${TOKEN_CHARS_MAX}`;
  }
  const distinct = new Set(token).size;
  if (distinct >= TOKEN_DISTINCT_CHARS_MIN) return undefined;
  return `the token has only ${distinct} different characters, the fewest are ${TOKEN_DISTINCT_CHARS_MIN}; ${make}`;
}

function wordsOf(bytes: Uint8Array): Digest {
  // Copied, so that it begins at a multiple of four.
  return new Int32Array(Uint8Array.from(bytes).buffer);
}

/** Digests that are searched as a whole. */
export class Digests {
  readonly #words: Int32Array;

  constructor(digests: readonly Digest[]) {
    this.#words = new Int32Array(digests.length * WORDS);
    digests.forEach((digest, i) => this.#words.set(digest, i * WORDS));
  }

  /** The place of a digest among them; -1 if it is not there. Takes the same time wherever it is, and if it is not. */
  find(wanted: Digest): number {
    const words = this.#words;
    let found = -1;
    for (let at = 0; at < words.length; at += WORDS) {
      let difference = 0;
      for (let i = 0; i < WORDS; i++) difference |= words[at + i]! ^ wanted[i]!;
      // All ones where nothing differs, else zero: no branch tells which.
      const same = ((difference | -difference) >> 31) ^ -1;
      found = (found & ~same) | ((at / WORDS) & same);
    }
    return found;
  }
}
