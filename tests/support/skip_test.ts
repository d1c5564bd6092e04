/**
 * @module
 */
import { assertEquals } from "@std/assert";
import { lacking, tool } from "./skip.ts";

Deno.test("tool finds a program on PATH and says what is missing", () => {
  assertEquals(lacking([tool("deno-no-such-program")]), "needs the program deno-no-such-program");
  assertEquals(
    lacking([{ what: "a", present: true }, { what: "b", present: false }, { what: "c", present: false }]),
    "needs b, c",
  );
  assertEquals(lacking([]), undefined);
});
