/**
 * The HTTP interface: its route table, and what happens to errors.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { ChukchaError, quote } from "../protocol/errors.ts";
import { ErrorAnswers, errorResponse } from "./answer.ts";
import { livez, openapi, readyz, status } from "./health.ts";
import { ack, listCategories, listChunks, read } from "./read.ts";
import type { Service } from "./service.ts";
import { tail } from "./tail.ts";
import { write } from "./write.ts";

/** Parses a request, calls one method of the service, and answers. */
type Handler = (service: Service, c: Context) => Response | Promise<Response>;

/** Methods, path, handler. `HEAD` comes with `GET`. */
export const ROUTES: readonly (readonly [methods: readonly string[], path: string, handler: Handler])[] = [
  [["POST", "PUT"], "/write", write],
  [["GET"], "/read", read],
  [["GET", "POST"], "/ack", ack],
  [["GET"], "/listChunks", listChunks],
  [["GET"], "/listCategories", listCategories],
  [["GET"], "/tail", tail],
  [["GET"], "/livez", livez],
  [["GET"], "/readyz", readyz],
  [["GET"], "/status", status],
  [["GET"], "/openapi.json", openapi],
];

/** Builds the application. */
export function createApp(service: Service): Hono {
  const app = new Hono();
  const errors = new ErrorAnswers(service.log, service.clock);
  for (const [methods, path, handler] of ROUTES) {
    app.on([...methods], path, (c) => handler(service, c));
    app.all(path, (c) => methodNotAllowed(c, methods));
  }
  app.notFound((c) =>
    errorResponse(new ChukchaError("not_found", `${quote(c.req.path)}: no such path; see /openapi.json`))
  );
  app.onError((error) => errors.answer(error));
  return app;
}

function methodNotAllowed(c: Context, methods: readonly string[]): Response {
  const error = new ChukchaError(
    "method_not_allowed",
    `${c.req.path}: takes ${methods.join(" or ")}, not ${c.req.method}`,
  );
  return errorResponse(error, { allow: methods.join(", ") });
}
