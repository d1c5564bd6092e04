/**
 * `/livez`, `/readyz`, `/status`, `/openapi.json`: for probes, people and tools.
 *
 * @module
 */
import { accepts } from "@std/http";
import { renderStatusPage } from "../console/status_page.ts";
import { ChukchaError } from "../protocol/errors.ts";
import { RETRY_AFTER_S } from "../protocol/limits.ts";
import type { HealthCheck } from "../protocol/types.ts";
import { errorResponse } from "./answer.ts";
import { OPENAPI } from "./openapi.ts";
import { Params } from "./params.ts";
import type { Caller } from "./rights.ts";
import type { Service } from "./service.ts";

/** The page needs its own styles and nothing else: whatever a name in it might smuggle in is not run. */
const PAGE = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
};

/** Handles `GET /livez`: the process answers. */
export function livez(): Response {
  return new Response("ok\n");
}

/**
 * Handles `GET /readyz`: 200 if requests may be sent here. `?verbose` lists each check. Probes have no token; names of
 * nodes and directories are told only to those who may know them.
 */
export function readyz(service: Service, request: Request, caller: Caller): Response {
  const checks = service.readiness();
  const failed = checks.find((check) => !check.ok);
  if (!caller.may("admin")) return failed ? notReady(service, failed) : new Response("ok\n");
  if (Params.of(request.url).text("verbose") !== undefined) {
    const lines = checks.map(({ name, ok, message }) =>
      `[${ok ? "+" : "-"}]${name} ${ok ? "ok" : "failed"}: ${message}`
    );
    lines.push(failed ? "readyz check failed" : "readyz check passed");
    const text = lines.join("\n") + "\n";
    return failed
      ? new Response(text, { status: 503, headers: { "retry-after": String(RETRY_AFTER_S) } })
      : new Response(text);
  }
  if (!failed) return new Response("ok\n");
  return notReady(service, failed, `${failed.name}: ${failed.message}`);
}

function notReady({ draining }: Service, { name }: HealthCheck, message?: string): Response {
  const code = draining ? "draining" : name === "cluster" ? "not_joined" : "disk_failed";
  const told = message ?? `${name}: not ready; a token with the right admin is told why`;
  return errorResponse(new ChukchaError(code, told));
}

/** Handles `GET /status`: JSON, or a page for a browser. */
export async function status(service: Service, request: Request): Promise<Response> {
  const now = await service.status();
  if (accepts(request, "application/json", "text/html") !== "text/html") return Response.json(now);
  return new Response(renderStatusPage(now), { headers: PAGE });
}

/** Handles `GET /openapi.json`. */
export function openapi(): Response {
  return Response.json(OPENAPI);
}
