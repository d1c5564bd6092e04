/**
 * @module Tests of `lib/http/json_messages.ts`.
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { isJsonType, jsonToLines } from "../../lib/http/json_messages.ts";

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function lines(text: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(jsonToLines(utf8(text)));
}

function assertUntouched(text: string): void {
  const body = utf8(text);
  assertStrictEquals(jsonToLines(body), body, text);
}

Deno.test("isJsonType ignores case and parameters, and takes no other type", () => {
  for (
    const type of [
      "application/json",
      "Application/JSON",
      "application/json; charset=utf-8",
      " application/json ",
    ]
  ) {
    assert(isJsonType(type), type);
  }
  for (
    const type of [
      null,
      "",
      "text/plain",
      "application/x-ndjson",
      "application/jsonl",
      "application/json-seq",
    ]
  ) {
    assert(!isJsonType(type), String(type));
  }
});

Deno.test("jsonToLines makes each element of an array a line", () => {
  assertEquals(lines('[{"a":1},{"a":2}]'), '{"a":1}\n{"a":2}\n');
  assertEquals(lines('[1,"x",null,[2,3],{}]'), '1\n"x"\nnull\n[2,3]\n{}\n');
  assertEquals(lines('[{"a":1}]'), '{"a":1}\n');
  assertEquals(lines("  \n[ 1 ,\t2 \n, 3 ]\r\n "), "1\n2\n3\n");
  assertEquals(lines('["]","[,","\\"],","\\\\"]'), '"]"\n"[,"\n"\\"],"\n"\\\\"\n');
});

Deno.test("jsonToLines makes an empty array no message", () => {
  for (const text of ["[]", "[ ]", " [\n]\n", "\ufeff[]"]) assertEquals(lines(text), "");
});

Deno.test("jsonToLines keeps numbers, order of keys, escapes and inner blanks as they are", () => {
  const element = '{"b": 12345678901234567890, "a":1.0e+400,"__proto__":{"x" : -0},"b":"\\u00e9\\/\\n é"}';
  assertEquals(lines(`[${element}, ${element}]`), `${element}\n${element}\n`);
});

Deno.test("jsonToLines removes line breaks between tokens with the blanks that follow", () => {
  assertEquals(lines('{\n  "a": 1,\n  "b": [\n    1,\n    2\n  ]\n}\n'), '{"a": 1,"b": [1,2]}\n');
  assertEquals(lines('{\r\n\t"a": 1\r\n}'), '{"a": 1}\n');
  assertEquals(
    lines('[\n  {\n    "a": "x  y"\n  },\n  {\n    "b": 2\n  }\n]\n'),
    '{"a": "x  y"}\n{"b": 2}\n',
  );
  assertEquals(lines('\n\n{"a":1}\n\n'), '{"a":1}\n');
});

Deno.test("jsonToLines leaves lines alone, also those that look like JSON", () => {
  const untouched = [
    "",
    " ",
    "\n",
    "hello\nworld",
    '{"a":1}',
    '{"a":1}\n',
    "{not json",
    '{"a":1}\n{"a":2}\n',
    '{"a":1}\n\n{"a":2}',
    "[2024-01-01] started",
    "[2024-01-01] started\n[2024-01-02] stopped\n",
    "[1]\n[2]\n",
    "[1,2",
    "[1,]",
    "[,]",
    "[1 2]",
    "[}",
    "[[1]",
    "{\n",
    '["a\nb"]',
    "['a',\n'b']",
    "[1] x",
    '"x"\n',
    "12\n",
    "null",
    '["\\',
    '["',
    "[",
    "\ufefftext\n",
    "[1]\0",
    "[01]",
    "[NaN]",
    '{"a":\n01}',
  ];
  for (const text of untouched) assertUntouched(text);
});

Deno.test("jsonToLines drops a byte order mark with the JSON it precedes", () => {
  assertEquals(lines('\ufeff[{"a":1}]'), '{"a":1}\n');
  assertEquals(lines('\ufeff{\n"a":1}'), '{"a":1}\n');
});

Deno.test("jsonToLines keeps bytes that are not UTF-8", () => {
  const body = Uint8Array.of(0x5b, 0x22, 0xff, 0xc3, 0x22, 0x2c, 0x31, 0x5d);
  assertEquals(jsonToLines(body), Uint8Array.of(0x22, 0xff, 0xc3, 0x22, 0x0a, 0x31, 0x0a));
});

Deno.test("jsonToLines takes nesting of any depth", () => {
  const depth = 100_000;
  const deep = "[".repeat(depth) + "]".repeat(depth);
  assertEquals(lines(deep), `${deep.slice(1, -1)}\n`);
  const object = '{"a":'.repeat(depth) + "\n1" + "}".repeat(depth);
  assertEquals(lines(object), `${object.replace("\n", "")}\n`);
  assertUntouched("[".repeat(depth));
});

Deno.test("jsonToLines splits any array as JSON.parse reads it", () => {
  const indent = fc.constantFrom("", " ", "\t", "\r\n  ");
  fc.assert(fc.property(fc.array(fc.jsonValue()), indent, fc.boolean(), (values, space, loose) => {
    const dense = JSON.stringify(values, null, space);
    const text = loose ? ` \r\n${dense}\n ` : dense;
    const split = lines(text).split("\n");
    assertEquals(split.pop(), "");
    assertEquals(split.map((line) => JSON.parse(line)), JSON.parse(dense));
    if (space === "" || space === "\t") assertEquals(split.length, values.length);
  }));
});

Deno.test("jsonToLines of a compact array keeps each element byte for byte", () => {
  fc.assert(fc.property(fc.array(fc.json(), { minLength: 1 }), (elements) => {
    assertEquals(lines(`[${elements.join(",")}]`), elements.map((element) => `${element}\n`).join(""));
  }));
});

Deno.test("jsonToLines never touches what JSON.parse refuses, and never fails", () => {
  const piece = fc.constantFrom("[", "]", "{", "}", ",", ":", '"', "\\", "\n", " ", "1", "a", "null", '"a"');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        assertUntouched(text);
        return;
      }
      if (typeof value !== "object" || value === null) return assertUntouched(text);
      const expected = Array.isArray(value) ? value : [value];
      const split = lines(text).split("\n").filter((line) => line !== "");
      assertEquals(split.map((line) => JSON.parse(line)), expected);
    }),
    { numRuns: 2000 },
  );
});
