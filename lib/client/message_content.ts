/**
 * What a value is as a message: its text or bytes, or a refusal that says what to do.
 *
 * A text is sent as it is, and bytes too; all else as JSON, which never has a line break in it. What `JSON.stringify`
 * would make nothing of without a word is refused: it would be found out when it is read, which is too late.
 *
 * @module
 */
import { quote } from "../protocol/errors.ts";
import { ProducerError } from "./producer_error.ts";

/** What can be sent: a text without line breaks, bytes without them, or a value that has JSON. */
export type MessageValue = string | Uint8Array | number | boolean | null | object;

const NEWLINE = 0x0a;

/** The text or the bytes of a message; throws a `ProducerError` `not_a_message`. */
export function contentOf(value: unknown): string | Uint8Array {
  if (typeof value === "string") {
    const at = value.indexOf("\n");
    if (at < 0) return value;
    throw notAMessage(
      `the text has a line break at character ${at}, where a message ends: ${lineBreakAdvice}`,
    );
  }
  if (ArrayBuffer.isView(value)) {
    if (!(value instanceof Uint8Array)) throw notAMessage(`${nameOf(value)}: ${bytesAdvice}`);
    const at = value.indexOf(NEWLINE);
    if (at < 0) return value;
    throw notAMessage(
      `the bytes have a line break (10) at byte ${at}, where a message ends: ${lineBreakAdvice}`,
    );
  }
  return jsonOf(value);
}

const lineBreakAdvice = "send each line by itself, without its end, or send the whole as a JSON string";
const bytesAdvice = "bytes are sent as a Uint8Array";

function jsonOf(value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    // A BigInt, a cycle, or what a toJSON or a getter threw: the runtime says which.
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0]! : String(cause);
    throw notAMessage(`${nameOf(value)} has no JSON: ${reason}`, cause);
  }
  if (json === undefined) throw notAMessage(`${nameOf(value)} has no JSON`);
  if (json === "{}") checkEmpty(value);
  else if (json === "null" && value !== null) checkNull(value);
  return json;
}

/** Objects whose content is none of JSON's business, which makes `{}` of them. */
const HOLLOW = new Map([
  ["ArrayBuffer", bytesAdvice],
  ["SharedArrayBuffer", bytesAdvice],
  ["Blob", `${bytesAdvice}: await blob.bytes()`],
  ["File", `${bytesAdvice}: await file.bytes()`],
  ["Promise", "await it"],
  ["Map", "send Object.fromEntries(map)"],
  ["Set", "send [...set]"],
  ["WeakMap", "it cannot be read"],
  ["WeakSet", "it cannot be read"],
  ["Error", "send what of it is needed, as { message: String(error) }"],
  ["RegExp", "send its source"],
  ["ReadableStream", "send what is read from it"],
  ["Response", "send what is read from it"],
  ["Request", "send what is read from it"],
  ["Headers", "send Object.fromEntries(headers)"],
  ["FormData", "send Object.fromEntries(data)"],
  ["URLSearchParams", "send it as String(params)"],
  ["Generator", "send [...generator]"],
  ["AsyncGenerator", "send what it yields"],
]);

/** Costs nothing where events have properties. */
function checkEmpty(value: unknown): void {
  const kind = Object.prototype.toString.call(value).slice("[object ".length, -1);
  const advice = HOLLOW.get(kind);
  if (advice !== undefined) throw notAMessage(`of ${kind} objects JSON makes {}: ${advice}`);
}

/** A number that JSON has no word for, or a date that is none. */
function checkNull(value: unknown): void {
  if (typeof value === "number") throw notAMessage(`the number ${value} has no JSON`);
  if (value instanceof Date) throw notAMessage("an invalid Date has no JSON");
}

function nameOf(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "undefined";
    case "function":
      return value.name === "" ? "a function" : `the function ${quote(value.name)}`;
    case "bigint":
      return `the BigInt ${quote(String(value))}`;
    case "symbol":
      return `the symbol ${quote(String(value))}`;
    case "object": {
      const { constructor } = value as { constructor?: { name?: unknown } };
      const name = typeof constructor?.name === "string" && constructor.name;
      return name && name !== "Object" ? `the ${name}` : "the object";
    }
    default:
      return `the ${typeof value} ${quote(String(value))}`;
  }
}

function notAMessage(reason: string, cause?: unknown): ProducerError {
  return new ProducerError("not_a_message", `send: ${reason}`, { cause });
}
