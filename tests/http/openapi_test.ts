/**
 * @module Tests of `lib/http/openapi.ts`.
 */
import { assert, assertEquals } from "@std/assert";
import { ROUTES } from "../../lib/http/app.ts";
import { OPENAPI, OPENAPI_ROUTES } from "../../lib/http/openapi.ts";
import { ERROR_STATUS } from "../../lib/protocol/errors.ts";
import { READ_BYTES_MAX, WRITE_TIMEOUT_MS_MAX } from "../../lib/protocol/limits.ts";
import { isCategory, parseChunkName } from "../../lib/protocol/names.ts";

// deno-lint-ignore no-explicit-any
const document: any = JSON.parse(JSON.stringify(OPENAPI));

/** Every object within `value`. */
function* objects(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* objects(inner);
}

function resolve(reference: string): unknown {
  return reference.split("/").slice(1).reduce((value, key) => value?.[key], document);
}

Deno.test("OPENAPI is JSON without loss", () => {
  assertEquals(document, OPENAPI);
  assertEquals(document.openapi, "3.1.0");
});

Deno.test("OPENAPI refers only to what it defines, and defines only what it refers to", () => {
  const references = new Set(
    [...objects(document)].map(({ $ref }) => $ref).filter((ref) => typeof ref === "string"),
  );
  for (const reference of references) assert(resolve(reference) !== undefined, reference);
  const { securitySchemes, ...referred } = document.components;
  const asked = document.security.flatMap(Object.keys);
  assertEquals(asked.toSorted(), Object.keys(securitySchemes).toSorted());
  for (const [kind, parts] of Object.entries<Record<string, unknown>>(referred)) {
    for (const name of Object.keys(parts)) assert(references.has(`#/components/${kind}/${name}`), name);
  }
});

Deno.test("OPENAPI names each operation once, with answers and a description of each", () => {
  const operations = Object.values<Record<string, unknown>>(document.paths).flatMap((path) =>
    Object.values(path)
  );
  // deno-lint-ignore no-explicit-any
  const ids = operations.map((operation: any) => operation.operationId);
  assertEquals(new Set(ids).size, OPENAPI_ROUTES.length);
  // deno-lint-ignore no-explicit-any
  for (const { summary, responses } of operations as any[]) {
    assert(summary && "200" in responses && "503" in responses);
    for (const [status, answer] of Object.entries<{ description: string }>(responses)) {
      assert(/^[1-5]\d\d$/.test(status) && answer.description !== "");
    }
  }
});

Deno.test("OPENAPI lists every code of an error under its status", () => {
  assertEquals(
    document.components.schemas.Error.properties.error.properties.code.enum,
    Object.keys(ERROR_STATUS),
  );
  const { responses } = document.paths["/write"].post;
  assertEquals(Object.keys(responses), ["200", "400", "401", "403", "409", "413", "415", "503"]);
  assertEquals(responses["413"].description, "code: too_large");
  assert(responses["503"].headers["Retry-After"]);
});

Deno.test("OPENAPI has the limits of the program", () => {
  const { parameters, schemas } = document.components;
  assertEquals(parameters.max_size.schema.maximum, READ_BYTES_MAX);
  assertEquals(parameters.timeout.schema.maximum, WRITE_TIMEOUT_MS_MAX);
  const category = new RegExp(schemas.Category.pattern);
  const chunk = new RegExp(schemas.Chunk.pattern);
  const names = [
    "web.access-log",
    "",
    ".x",
    "x/y",
    "a".repeat(128),
    "a".repeat(129),
    "n-chunk000000001",
    "n-chunk1",
  ];
  for (const name of names) {
    assertEquals(category.test(name), isCategory(name), name);
    assertEquals(chunk.test(name), parseChunkName(name) !== undefined, name);
  }
});

Deno.test("OPENAPI tells 401 and 403 of those routes that ask for a right, and of no others", () => {
  for (const [methods, path, access] of ROUTES) {
    if (access === "cluster") continue;
    for (const method of methods) {
      const { responses } = document.paths[path][method.toLowerCase()];
      const told = ["401", "403"].map((status) => status in responses);
      const asks = access !== "open";
      assertEquals(told, [asks, asks], `${method} ${path}`);
    }
  }
});

Deno.test("OPENAPI_ROUTES are the routes of the application", () => {
  const served = ROUTES.flatMap(([methods, path]) => methods.map((method) => `${method} ${path}`));
  const published = served.filter((route) => !route.includes(" /replication/"));
  assertEquals(OPENAPI_ROUTES.map(({ method, path }) => `${method} ${path}`), published);
});
