/**
 * @module Tests of `lib/http/params.ts`.
 */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Params } from "../../lib/http/params.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";

function params(query: string): Params {
  return Params.of(`http://127.0.0.1:8080/write${query}`);
}

function refusal(act: () => unknown): string {
  const error = assertThrows(act, ChukchaError);
  assertEquals([error.code, error.status, error.written], ["invalid_parameter", 400, "no"]);
  return error.message;
}

Deno.test("Params.text: absent, empty, bare and present", () => {
  assertEquals(params("").text("a"), undefined);
  assertEquals(params("?").text("a"), undefined);
  assertEquals(params("?b=1&&c").text("a"), undefined);
  assertEquals(params("?a=").text("a"), "");
  assertEquals(params("?b=1&a").text("a"), "");
  assertEquals(params("?b=1&a=x=y&c=2").text("a"), "x=y");
  assertEquals(params("?a=1&").text("a"), "1");
  assertEquals(params("?a=1#?a=2&a=3").text("a"), "1");
  assertEquals(params("#?a=2").text("a"), undefined);
  assertEquals(params("?aa=1&a=2").text("a"), "2");
});

Deno.test("Params.text decodes percent and plus, in names too", () => {
  assertEquals(params("?a=x%20y+z%2B%26&b").text("a"), "x y z+&");
  assertEquals(params("?a=%C3%A9").text("a"), "é");
  assertEquals(params("?c%61tegory=x").text("category"), "x");
  assertEquals(params("?a+b=x").text("a b"), "x");
});

Deno.test("Params.text refuses malformed percent encoding of what is asked for, and of nothing else", () => {
  for (const bad of ["%", "%4", "%zz", "%ff", "a%C3"]) {
    assertEquals(
      refusal(() => params(`?a=${bad}`).text("a")),
      `a: ${JSON.stringify(bad)} has malformed percent encoding, must be UTF-8`,
    );
    assertEquals(params(`?b=${bad}&${bad}=1&a=2`).text("a"), "2");
  }
});

Deno.test("Params.text refuses two different values, and takes the same one twice", () => {
  assertEquals(params("?a=1&b=2&a=1").text("a"), "1");
  assertEquals(params("?a=x+y&a=x%20y").text("a"), "x y");
  assertEquals(
    refusal(() => params("?a=1&b=2&a=3").text("a")),
    'a: given as "1" and as "3", must be given once',
  );
  assertEquals(params("?b=1&b=2&a=3").text("a"), "3");
});

Deno.test("Params.required names the parameter that is missing", () => {
  assertEquals(params("?category=").required("category"), "");
  assertEquals(
    refusal(() => params("?Category=x").required("category")),
    "category: missing, this parameter is required",
  );
});

Deno.test("Params.integer takes decimal digits within its range", () => {
  const rule = { min: 1, max: 5000, default: 60 };
  assertEquals(params("?n=1").integer("n", rule), 1);
  assertEquals(params("?n=5000").integer("n", rule), 5000);
  assertEquals(params("?n=0042").integer("n", rule), 42);
  assertEquals(params("?m=1").integer("n", rule), 60);
  assertEquals(params("").integer("n", { min: 0, max: 9, default: 0 }), 0);
  assertEquals(
    refusal(() => params("").integer("n", { min: 0, max: 9 })),
    "n: missing, this parameter is required",
  );
  const bad = [
    "",
    "0",
    "5001",
    "-1",
    "%2B1",
    "+1",
    "1.0",
    "1e3",
    "0x10",
    "NaN",
    "Infinity",
    "٣",
    "9".repeat(400),
  ];
  for (const text of bad) refusal(() => params(`?n=${encodeURIComponent(text)}`).integer("n", rule));
  assertEquals(
    refusal(() => params("?n=5001").integer("n", rule)),
    'n: "5001" is not a whole number from 1 to 5000',
  );
  refusal(() => params("?n=9007199254740993").integer("n", { min: 0, max: Number.MAX_SAFE_INTEGER }));
});

Deno.test("Params.flag takes 0, 1, false and true", () => {
  assertEquals(params("?f=1").flag("f"), true);
  assertEquals(params("?f=true").flag("f"), true);
  assertEquals(params("?f=0").flag("f", true), false);
  assertEquals(params("?f=false").flag("f", true), false);
  assertEquals(params("").flag("f"), false);
  assertEquals(params("").flag("f", true), true);
  for (const text of ["", "2", "TRUE", "yes", "1 "]) refusal(() => params(`?f=${text}`).flag("f"));
  assertEquals(refusal(() => params("?f=yes").flag("f")), 'f: "yes" is not 0 or 1');
});

Deno.test("Params quotes long values cut, and control characters escaped", () => {
  const message = refusal(() => params(`?n=%0A${"x".repeat(5000)}`).integer("n", { min: 0, max: 1 }));
  assertEquals(message.includes("\n"), false);
  assertEquals(message.length < 200, true);
});

Deno.test("Params agrees with URLSearchParams on every well-formed query", () => {
  const piece = fc.oneof(
    fc.constantFrom("a", "b", "", "=", "&", "+", "%26", "%3D", "%2B", "%20", "é", "%F0%9F%98%80", "?", "/"),
    fc.string({ maxLength: 3 }).map((text) => encodeURIComponent(text.toWellFormed())),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
    const url = `http://x/p?${pieces.join("")}`;
    const expected = new URL(url).searchParams;
    const actual = Params.of(new URL(url).href);
    for (const name of new Set([...expected.keys(), "a", "b"])) {
      const values = new Set(expected.getAll(name));
      if (values.size > 1) refusal(() => actual.text(name));
      else assertEquals(actual.text(name), values.values().next().value);
    }
  }));
});

Deno.test("Params takes a query of very many parameters", () => {
  const url = `http://x/?${"a&".repeat(30_000)}${"=&".repeat(30_000)}n=7`;
  assertEquals(Params.of(url).integer("n", { min: 0, max: 9 }), 7);
});
