/**
 * What an error of `fetch` says. Runtimes hide the useful part in `cause`, wrapped in the address.
 *
 * @module
 */

/** Errors that cause errors, at most: a chain that is longer is a circle. */
const CAUSES_MAX = 8;

/** One of the errors that an error consists of. */
export interface Cause {
  readonly message: string;
  readonly code?: string | undefined;
}

/** An error and what caused it, outermost first. */
export function causesOf(error: unknown): Cause[] {
  const found: Cause[] = [];
  for (let at = error; at instanceof Error && found.length < CAUSES_MAX; at = at.cause) {
    const { code } = at as { code?: unknown };
    found.push({ message: at.message, code: typeof code === "string" ? code : undefined });
  }
  return found;
}

/** What goes wrong between two who mean to speak TLS, as runtimes say it and as people are told it. */
const TLS_WORDS: readonly (readonly [said: RegExp, words: string])[] = [
  [
    /^.*UnknownIssuer.*$|^.*unable to (?:get local issuer|verify the first) certificate.*$|^.*self-signed certificate.*$/s,
    "its certificate is from an authority that is not trusted here",
  ],
  [
    /^.*CaUsedAsEndEntity.*$/s,
    "its certificate is marked as that of an authority, which no server may use as its own (basicConstraints CA:FALSE)",
  ],
  [/^.*invalid peer certificate: Expired.*$|^.*certificate has expired.*$/s, "its certificate has expired"],
  [/^.*NotValidYet.*$/s, "its certificate is not valid yet; are both clocks right?"],
  [/^.*certificate not valid for name ("[^"]*").*$/s, "its certificate is not for the name $1"],
  [/^.*InvalidContentType.*$/s, "it does not speak TLS; is its address http:// and not https://?"],
  [
    /^.*invalid HTTP version parsed.*$/s,
    "it does not speak plain HTTP; is its address https:// and not http://?",
  ],
];

/** Whether an error of `fetch` is about who issued the other side's certificate. */
export function isUntrusted(error: unknown): boolean {
  return describeFailure(error) === TLS_WORDS[0]![1];
}

/** The error of `fetch` in a few words. */
export function describeFailure(error: unknown): string {
  const innermost = causesOf(error).at(-1);
  const text = (innermost?.message || innermost?.code || String(error)).replace(
    /^error sending request.*?: client error \([A-Za-z]+\): /,
    "",
  );
  const words = TLS_WORDS.find(([said]) => said.test(text));
  if (words) return text.replace(...words);
  return text
    // Browsers say no more, so that pages learn nothing of networks that they are not meant to see.
    .replace(
      /^(?:Failed to fetch|Load failed|NetworkError when attempting to fetch resource\.)$/,
      "it cannot be reached, or lets no page of this origin use it: see --cors-origin",
    )
    .replace(/^.*Connection refused.*$|^.*ECONNREFUSED.*$/, "connection refused")
    .replace(/^dns error: /, "")
    .replace(/ \(os error \d+\)$/, "");
}
