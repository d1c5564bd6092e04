/**
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ChukchaError, ERROR_STATUS, type ErrorCode, quote } from "../../lib/protocol/errors.ts";
import { QUOTED_CHARS_MAX } from "../../lib/protocol/limits.ts";

Deno.test("ChukchaError: knows its status and its form on the wire; the cause stays inside", () => {
  const error = new ChukchaError("disk_failed", "write: no", {
    written: "maybe",
    cause: new Error("EIO /secret/path"),
  });
  assertEquals(error.status, 503);
  assertEquals(error.toBody(), { error: { code: "disk_failed", message: "write: no", written: "maybe" } });
  assert(!JSON.stringify(error.toBody()).includes("secret"));
  assertEquals(new ChukchaError("too_large", "x").written, "no");
});

Deno.test("ERROR_STATUS: what passes by itself is 503, the one status that every log shipper retries", () => {
  const passing: ErrorCode[] = [
    "overloaded",
    "disk_full",
    "disk_failed",
    "damaged",
    "draining",
    "not_joined",
    "behind",
    "not_confirmed",
    "internal",
  ];
  for (const [code, status] of Object.entries(ERROR_STATUS)) {
    assertEquals(status === 503, passing.includes(code as ErrorCode), code);
  }
});

Deno.test("quote: escapes control characters and cuts what is long", () => {
  assertEquals(quote('a"b\n\u001b'), '"a\\"b\\n\\u001b"');
  assertEquals(quote("x".repeat(1000)).length, QUOTED_CHARS_MAX + 3);
});
