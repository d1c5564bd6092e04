/**
 * The HTTP interface: its route table, and what happens to errors.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { ChukchaError, quote } from "../protocol/errors.ts";
import { ErrorAnswers, errorResponse } from "./answer.ts";
import { consume, consumers, lease, seek } from "./consume.ts";
import { withCors } from "./cors.ts";
import { counted } from "./counted.ts";
import { livez, openapi, readyz, status } from "./health.ts";
import { ack, listCategories, listChunks, read } from "./read.ts";
import { metrics } from "./metrics.ts";
import { changes, fetchPieces, knows } from "./replication.ts";
import { type Access, ANYBODY, type Caller } from "./rights.ts";
import type { Service } from "./service.ts";
import { tail } from "./tail.ts";
import { smallWrite } from "./small_write.ts";
import type { Traffic } from "./traffic.ts";
import { write } from "./write.ts";

/** Parses a request, calls one method of the service, and answers. */
type Handler = (service: Service, request: Request, caller: Caller) => Response | Promise<Response>;

/** Methods, path, what is asked of callers where there are tokens, handler. `HEAD` comes with `GET`. */
export const ROUTES: readonly (readonly [
  methods: readonly string[],
  path: string,
  access: Access,
  handler: Handler,
])[] = [
  [["POST", "PUT"], "/write", "write", write],
  [["GET"], "/read", "read", read],
  [["GET", "POST"], "/ack", "read", ack],
  [["GET"], "/listChunks", "read", listChunks],
  [["GET"], "/listCategories", "listed", listCategories],
  [["GET"], "/tail", "read", tail],
  [["GET"], "/consume", "read", consume],
  [["POST"], "/lease", "read", lease],
  [["GET", "DELETE"], "/consumers", "read", consumers],
  [["POST"], "/seek", "read", seek],
  [["GET"], "/livez", "open", livez],
  [["GET"], "/readyz", "open", readyz],
  [["GET"], "/status", "admin", status],
  [["GET"], "/metrics", "admin", metrics],
  [["GET"], "/openapi.json", "open", openapi],
  // Between the nodes of a cluster, and so not in the document.
  [["POST"], "/replication/changes", "cluster", changes],
  [["POST"], "/replication/fetch", "cluster", fetchPieces],
  [["POST"], "/replication/knows", "cluster", knows],
];

/** The application: what a server calls for each request. */
export interface App {
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

/** Builds the application, open to web pages of these origins. Its `fetch` never rejects. */
export function createApp(service: Service, origins: readonly string[] = []): App {
  const app = new Hono();
  const errors = new ErrorAnswers(service.log, service.clock, (code) => service.traffic.refused(code));
  const { guard } = service;
  for (const [methods, path, access, handler] of ROUTES) {
    // One handler a route: with a second one that matches, each request goes through the slower chain of handlers.
    app.on([...methods], path, ({ req: { raw } }) => {
      return handler(service, raw, guard ? guard.admit(raw, access) : ANYBODY);
    });
  }
  app.notFound((c) => noRoute(c, service.traffic));
  app.onError((error) => errors.answer(error));
  const refuse = (error: unknown): Response => errors.answer(error);
  const guardedWrite = (request: Request): Promise<Response> => {
    guard?.admit(request, "write");
    return write(service, request);
  };
  const paths = ROUTES.map(([, path]) => path);
  const routed = counted(
    service.traffic,
    paths,
    (request) => request.method === "CONNECT" ? refuse(noProxy()) : app.fetch(request),
    refuse,
  );
  const written = counted(service.traffic, [], guardedWrite, refuse);
  // Writes come by the ten thousand: past the router they cost 2 to 3 µs less of 15, and small ones another 2.
  const answer = (request: Request): Response | Promise<Response> =>
    isPlainWrite(request) ? smallWrite(service, request, refuse) ?? written(request) : routed(request);
  return { fetch: withCors(origins, answer) };
}

function isPlainWrite({ method, url }: Request): boolean {
  return method === "POST" && url.startsWith("/write?", url.indexOf("/", "https://".length));
}

/** What `CONNECT` names is no path, and the router cannot do anything with it. */
function noProxy(): ChukchaError {
  return new ChukchaError(
    "method_not_allowed",
    "CONNECT: this is no proxy; see /openapi.json for what it takes",
  );
}

function noRoute({ req: { path, method } }: Context, traffic: Traffic): Response {
  const methods = ROUTES.find(([, known]) => known === path)?.[0];
  traffic.refused(methods ? "method_not_allowed" : "not_found");
  if (!methods) {
    return errorResponse(new ChukchaError("not_found", `${quote(path)}: no such path; see /openapi.json`));
  }
  const message = `${path}: takes ${methods.join(" or ")}, not ${quote(method)}`;
  return errorResponse(new ChukchaError("method_not_allowed", message), { allow: methods.join(", ") });
}
