/**
 * `Content-Encoding` of a request body, read and undone.
 *
 * Owns: the list of encodings that are taken (gzip, deflate as zlib wraps it and as raw as some clients send it, zstd),
 * the bound on what they unfold to. Refuses: other encodings (415), what unfolds to more than the bound (413, without
 * unfolding it all), data that is damaged, cut short, or followed by something else (400).
 *
 * Invariant: what is returned is the whole content. Several gzip members or zstd frames in a row are one content; zero
 * bytes behind gzip data are padding; anything else behind the data would be messages lost unsaid, so it is refused.
 *
 * Everything is synchronous: the asynchronous forms run on this thread too, and 4 MiB take 8 ms.
 *
 * @module
 */
import { gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { concatenate } from "../protocol/bytes.ts";
import { ChukchaError, quote } from "../protocol/errors.ts";
import { BODY_ENCODED_SLACK_BYTES, CONTENT_ENCODINGS_MAX, KIB, MIB } from "../protocol/limits.ts";
import { splitZstdFrames } from "./zstd_frames.ts";

/** An encoding that is undone. */
export type Encoding = "gzip" | "deflate" | "zstd";

const NAMES: Readonly<Record<string, Encoding>> = {
  __proto__: null as never,
  "gzip": "gzip",
  "x-gzip": "gzip",
  "deflate": "deflate",
  "zstd": "zstd",
};
const NONE: readonly Encoding[] = [];

/** The encodings of a header's value, in the order in which they were applied; throws `unsupported_encoding`. */
export function parseContentEncoding(header: string | null): readonly Encoding[] {
  if (header === null) return NONE;
  const encodings: Encoding[] = [];
  for (const part of header.split(",")) {
    const name = part.trim().toLowerCase();
    if (name === "identity" || name === "") continue;
    const encoding = NAMES[name];
    if (encoding === undefined) {
      throw new ChukchaError(
        "unsupported_encoding",
        `content-encoding: ${quote(name)} is not gzip, deflate, zstd or identity`,
      );
    }
    encodings.push(encoding);
  }
  if (encodings.length > CONTENT_ENCODINGS_MAX) {
    throw new ChukchaError(
      "unsupported_encoding",
      `content-encoding: ${quote(header)} names more than ${CONTENT_ENCODINGS_MAX} encodings`,
    );
  }
  return encodings;
}

/**
 * Undoes `encodings`, the last one first.
 *
 * @returns the content, at most `bytesMax` bytes of it; throws `too_large` or `invalid_body` otherwise
 */
export function decodeContent(
  bytes: Uint8Array,
  encodings: readonly Encoding[],
  bytesMax: number,
): Uint8Array {
  let content = bytes;
  for (let i = encodings.length - 1; i >= 0; i--) {
    const layerBytesMax = i === 0 ? bytesMax : bytesMax + BODY_ENCODED_SLACK_BYTES;
    content = decodeLayer(content, encodings[i]!, layerBytesMax);
  }
  return content;
}

function decodeLayer(bytes: Uint8Array, encoding: Encoding, bytesMax: number): Uint8Array {
  try {
    switch (encoding) {
      case "gzip":
        return gunzip(bytes, bytesMax);
      case "deflate":
        return inflate(bytes, bytesMax);
      case "zstd":
        return unzstd(bytes, bytesMax);
    }
  } catch (cause) {
    if (cause instanceof ChukchaError) throw cause;
    const code = (cause as { code?: unknown }).code;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(bytesMax);
    throw damaged(encoding, code === "Z_BUF_ERROR" ? "cut short" : "damaged", cause);
  }
}

function gunzip(bytes: Uint8Array, bytesMax: number): Uint8Array {
  return plain(gunzipSync(bytes, options(bytes.length, bytesMax)));
}

/**
 * The low half of zlib's first byte is 8, and header and flags make a multiple of 31. To raw deflate the same byte
 * would be a stored block with set padding bits, which encoders leave unset.
 */
function inflate(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const [first = 0, second = 0] = bytes;
  const wrapped = (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
  const decode = wrapped ? inflateSync : inflateRawSync;
  const result = decode(bytes, { ...options(bytes.length, bytesMax), info: true }) as unknown as Inflated;
  if (result.engine.bytesWritten !== bytes.length) throw damaged("deflate", "followed by other bytes");
  return plain(result.buffer);
}

/** What `info: true` returns, which the types do not know. */
interface Inflated {
  readonly buffer: Uint8Array;
  /** `bytesWritten` counts the input that was used. */
  readonly engine: { readonly bytesWritten: number };
}

function unzstd(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const frames = splitZstdFrames(bytes);
  if (typeof frames === "string") throw damaged("zstd", frames);
  const parts: Uint8Array[] = [];
  let total = 0;
  for (const frame of frames) {
    const part = plain(zstdDecompressSync(frame, options(frame.length, bytesMax - total)));
    total += part.length;
    if (total > bytesMax) throw tooLarge(bytesMax);
    parts.push(part);
  }
  return parts.length === 1 ? parts[0]! : concatenate(parts);
}

/** Output is gathered in pieces: a guess at four times the input wastes little and needs few of them. */
function options(inputBytes: number, bytesMax: number): { maxOutputLength: number; chunkSize: number } {
  const chunkSize = Math.min(Math.max(4 * inputBytes, 4 * KIB), MIB);
  return { maxOutputLength: Math.max(1, bytesMax), chunkSize };
}

/** The same bytes without the `Buffer` class, whose `slice` and friends behave differently. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function tooLarge(bytesMax: number): ChukchaError {
  return new ChukchaError(
    "too_large",
    `body: decodes to more than the limit of ${bytesMax} bytes for a batch`,
  );
}

function damaged(encoding: Encoding, how: string, cause?: unknown): ChukchaError {
  return new ChukchaError("invalid_body", `body: the ${encoding} data is ${how}`, { cause });
}
