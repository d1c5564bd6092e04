/**
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import {
  categoryDirectory,
  checkCategory,
  checkChunk,
  checkInstance,
  checkProducer,
  CHUNK_NUMBER_MAX,
  chunkName,
  isCategory,
  isInstance,
  parseCategoryDirectory,
  parseChunkName,
} from "../../lib/protocol/names.ts";

const characters = (allowed: string): fc.Arbitrary<string> => fc.constantFrom(...allowed);
const LETTERS = "ABCXYZabcxyz0189_";
const instance = fc.tuple(
  characters(LETTERS),
  fc.string({ unit: characters(LETTERS + "-"), maxLength: 63 }),
).map(([first, rest]) => first + rest);
const category = fc.tuple(
  characters(LETTERS),
  fc.string({ unit: characters(LETTERS + "-."), maxLength: 127 }),
).map(([first, rest]) => first + rest);

const TRAVERSALS = [
  "",
  ".",
  "..",
  "../x",
  "a/b",
  "a\\b",
  "a\0",
  "a\n",
  " a",
  "a ",
  "ä",
  "-a",
  ".a",
  "=a=",
  "a%2f",
  "a:b",
];

Deno.test("names: what cannot be part of a path is no name", () => {
  for (const name of TRAVERSALS) {
    assert(!isCategory(name) && !isInstance(name), name);
    const { code, message } = assertThrows(() => checkCategory(name), ChukchaError);
    assertEquals(code, "invalid_parameter");
    assert(message.startsWith(`category: ${JSON.stringify(name)} is not a category`), message);
    assertThrows(() => checkInstance(name), ChukchaError, "instance: ");
    assertThrows(
      () => checkProducer(name),
      ChukchaError,
      `producer: ${JSON.stringify(name)} is not a producer`,
    );
    assertThrows(() => checkChunk(`${name}-chunk000000001`), ChukchaError, "chunk: ");
  }
  assertEquals([isCategory("a".repeat(128)), isCategory("a".repeat(129))], [true, false]);
  assertEquals([isInstance("a".repeat(64)), isInstance("a".repeat(65)), isInstance("a.b")], [
    true,
    false,
    false,
  ]);
});

Deno.test("names: a chunk's name is built and taken apart again, also where the instance looks like a chunk", () => {
  fc.assert(fc.property(instance, fc.nat(CHUNK_NUMBER_MAX), (owner, number) => {
    assertEquals(parseChunkName(chunkName(owner, number)), { instance: owner, number });
  }));
  assertEquals(parseChunkName("n-chunk000000001-chunk000000002"), {
    instance: "n-chunk000000001",
    number: 2,
  });
  for (
    const name of [
      "n-chunk00000001",
      "n-chunk0000000001",
      "n-chunk00000000x",
      "-chunk000000001",
      "n-chunk000000001.idx",
    ]
  ) {
    assertEquals(parseChunkName(name), undefined);
    assertThrows(() => checkChunk(name), ChukchaError);
  }
});

Deno.test("names: each category has a directory of its own, which no system keeps for itself", () => {
  fc.assert(
    fc.property(category, (name) => assertEquals(parseCategoryDirectory(categoryDirectory(name)), name)),
  );
  for (const name of ["lock", "LOCK", "node.json", "con", "COM1", "nul.txt", "lpt9", "a.", "a.."]) {
    assertEquals(categoryDirectory(name), `=${name}=`);
    assertEquals([parseCategoryDirectory(`=${name}=`), parseCategoryDirectory(name)], [name, undefined]);
  }
  for (const name of ["console", "com10", "locks", "a.b", "aux_"]) {
    assertEquals(categoryDirectory(name), name);
  }
  for (const directory of ["=plain=", "=lock", "lock=", "==", "lost+found", ".git"]) {
    assertEquals(parseCategoryDirectory(directory), undefined);
  }
});
