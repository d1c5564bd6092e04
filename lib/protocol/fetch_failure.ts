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

/** The error of `fetch` in a few words. */
export function describeFailure(error: unknown): string {
  const innermost = causesOf(error).at(-1);
  const text = (innermost?.message || innermost?.code || String(error)).replace(
    /^error sending request.*?: client error \([A-Za-z]+\): /,
    "",
  );
  return text
    .replace(/^.*Connection refused.*$|^.*ECONNREFUSED.*$/, "connection refused")
    .replace(/^dns error: /, "")
    .replace(/ \(os error \d+\)$/, "");
}
