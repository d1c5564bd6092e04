/**
 * Where a reader starts, and where a tail of several owners stands.
 *
 * ```text
 * from      earliest | latest | 1732300000000 | 2026-11-22T10:00:00Z     (a time: milliseconds, or RFC 3339)
 * cursor    node_1-chunk000000042:1024,node_2-chunk000000000:7           (the id of a server-sent event)
 * ```
 *
 * @module
 */
import { ChukchaError, quote } from "./errors.ts";
import { parseChunkName } from "./names.ts";

/** Start of a read by time or end. */
export type From = "earliest" | "latest" | { readonly timeMs: number };

const RFC3339 = /^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?)?$/;

/** Parses `from`; throws `invalid_parameter` naming `field` otherwise. A time without a zone is UTC. */
export function parseFrom(text: string, field = "from"): From {
  if (text === "earliest" || text === "latest") return text;
  if (/^\d{1,15}$/.test(text)) return { timeMs: Number(text) };
  if (RFC3339.test(text)) {
    const zoned = /([Zz]|[+-]\d{2}:\d{2})$/.test(text) || text.length === 10 ? text : `${text}Z`;
    const timeMs = Date.parse(zoned.replace(" ", "T"));
    if (!Number.isNaN(timeMs) && isDay(text.slice(0, 10))) return { timeMs };
  }
  throw new ChukchaError(
    "invalid_parameter",
    `${field}: ${
      quote(text)
    } is not earliest, latest, milliseconds since 1970, or a time like 2026-11-22T10:00:00Z`,
  );
}

/** Whether a month has such a day: `Date.parse` takes the 30th of February for the 2nd of March. */
function isDay(date: string): boolean {
  const [year, month, day] = date.split("-").map(Number) as [number, number, number];
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
}

/** A place within one owner's chunks. */
export interface ChunkPosition {
  readonly chunk: string;
  readonly offset: number;
}

/** Builds the cursor of a tail: per owner where it stands, behind the places in older chunks that may still grow. */
export function formatCursor(positions: Iterable<ChunkPosition>): string {
  return Array.from(positions, ({ chunk, offset }) => `${chunk}:${offset}`).join(",");
}

/** Parses a cursor; throws `invalid_parameter` naming `field` otherwise. */
export function parseCursor(text: string, field: string): ChunkPosition[] {
  return text.split(",").map((part) => {
    const colon = part.lastIndexOf(":");
    const chunk = part.slice(0, colon);
    const digits = part.slice(colon + 1);
    if (colon < 0 || !parseChunkName(chunk) || !/^\d{1,15}$/.test(digits)) {
      throw new ChukchaError("invalid_parameter", `${field}: ${quote(part)} is not <chunk>:<offset>`);
    }
    return { chunk, offset: Number(digits) };
  });
}
