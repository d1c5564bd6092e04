/**
 * Web pages that may use a node from a browser (cross-origin resource sharing).
 *
 * A browser lets a page read answers of another origin only if they name the page's own, and asks first (`OPTIONS`) before
 * it sends a token, a `DELETE`, or anything else that no plain form could send. By default a node says nothing of the
 * kind: no page can read from it. With `--cors-origin` those pages may which are named there.
 *
 * This is a rule that browsers keep, not a door: who may do what is for tokens to say. Tokens go in a header that the page
 * sets itself; cookies and passwords that a browser keeps are never asked for, so that `*` gives nobody's rights to others.
 *
 * @module
 */
import { CORS_PREFLIGHT_S } from "../protocol/limits.ts";

type Answer = (request: Request) => Response | Promise<Response>;

/** What a page may read of an answer besides its body and type. */
const EXPOSED = [
  "chukcha-chunk",
  "chukcha-offset",
  "chukcha-next-offset",
  "chukcha-epoch",
  "chukcha-deliveries",
  "chukcha-lease",
  "retry-after",
].join(", ");

const PREFLIGHT = {
  "access-control-allow-methods": "GET, HEAD, POST, PUT, DELETE",
  "access-control-allow-headers": "authorization, content-type, content-encoding, last-event-id",
  "access-control-max-age": String(CORS_PREFLIGHT_S),
};

/** The same application, open to pages of these origins; unchanged if there are none. */
export function withCors(origins: readonly string[], answer: Answer): Answer {
  if (origins.length === 0) return answer;
  const all = origins.includes("*");
  const known = new Set(origins);
  const open = (response: Response, origin: string): Response => {
    response.headers.set("access-control-allow-origin", all ? "*" : origin);
    response.headers.set("access-control-expose-headers", EXPOSED);
    if (!all) response.headers.append("vary", "origin");
    return response;
  };
  return (request) => {
    const origin = request.headers.get("origin");
    if (origin === null || !all && !known.has(origin)) return answer(request);
    if (request.method === "OPTIONS" && request.headers.has("access-control-request-method")) {
      return open(new Response(null, { status: 204, headers: PREFLIGHT }), origin);
    }
    const response = answer(request);
    return response instanceof Promise
      ? response.then((settled) => open(settled, origin))
      : open(response, origin);
  };
}
