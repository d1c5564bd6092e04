/**
 * What every error answer has, whichever request it answers.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ERROR_STATUS, type ErrorBody, type ErrorCode, type Written } from "../../lib/protocol/errors.ts";
import { hashDirectory } from "../support/directory_hash.ts";

/** Shippers log each answer: none is longer than this. */
const MESSAGE_CHARS_MAX = 300;

/** What an error answer is to say. */
export interface ExpectedError {
  readonly code: ErrorCode;
  /** @default "no" */
  readonly written?: Written;
  /** Each is part of the message. */
  readonly says?: readonly string[];
}

/** An answer, however it was received. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  text: string | (() => Promise<string>);
}

/** Asserts that an answer is the error that is expected, in the one form that errors have. */
export async function assertError(answer: Answer, expected: ExpectedError): Promise<void> {
  const text = typeof answer.text === "string" ? answer.text : await answer.text();
  const { code, written = "no", says = [] } = expected;
  assertEquals(answer.status, ERROR_STATUS[code], text);
  assertEquals(answer.headers.get("content-type"), "application/json");
  if (answer.status === 503) assertMatch(answer.headers.get("retry-after") ?? "none", /^[1-9]\d*$/);
  else assertEquals(answer.headers.get("retry-after"), null);

  const body: ErrorBody = JSON.parse(text);
  assertEquals(Object.keys(body), ["error"]);
  assertEquals(Object.keys(body.error).toSorted(), ["code", "message", "written"]);
  assertEquals({ code: body.error.code, written: body.error.written }, { code, written }, text);
  assert(body.error.message.length <= MESSAGE_CHARS_MAX, `a message of ${body.error.message.length}`);
  assertEquals(/[\r\n\0]/.test(body.error.message), false, text);
  for (const part of says) assertStringIncludes(body.error.message, part);
}

/** Asserts that a request is answered with the error, and that it leaves the data directory as it was, to the byte. */
export async function assertRefused(
  node: { readonly dataDir: string },
  request: () => Promise<Answer>,
  expected: ExpectedError,
): Promise<void> {
  const before = hashDirectory(node.dataDir);
  await assertError(await request(), { ...expected, written: "no" });
  assertEquals(hashDirectory(node.dataDir), before, "the data directory has changed");
}
