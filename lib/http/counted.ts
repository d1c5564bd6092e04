/**
 * Counts what the application answers, around all of it: nothing that is answered is left out, and no handler knows of it.
 *
 * On the way of every request: it finds the path in the URL, adds to a number, and makes one promise where the answer
 * is one, in which what was thrown becomes an answer as well. See `docs/operations.md` for the figure.
 *
 * @module
 */
import type { Traffic } from "./traffic.ts";

type Answer = (request: Request) => Response | Promise<Response>;

/** The same application, counted; `paths` are its routes, `refuse` makes an answer of what was thrown. */
export function counted(
  traffic: Traffic,
  paths: readonly string[],
  answer: Answer,
  refuse: (error: unknown) => Response,
): Answer {
  traffic.addRoutes(paths);
  const count = (url: string, response: Response): Response => {
    const { status } = response;
    traffic.answered(pathOf(url), status);
    if (status >= 400) traffic.refusedAt(url);
    return response;
  };
  return (request) => {
    let response: Response | Promise<Response>;
    try {
      response = answer(request);
    } catch (error) {
      return count(request.url, refuse(error));
    }
    if (!(response instanceof Promise)) return count(request.url, response);
    return response.then(
      (settled) => count(request.url, settled),
      (error) => count(request.url, refuse(error)),
    );
  };
}

/** The path of a whole URL, as `request.url` has it: a parsed `URL` would cost 2 µs. */
function pathOf(url: string): string {
  const start = url.indexOf("/", "https://".length);
  const query = url.indexOf("?", start);
  return url.slice(start, query < 0 ? url.length : query);
}
