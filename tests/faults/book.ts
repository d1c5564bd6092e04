/**
 * The book that writers keep of what they were told, and the comparison with what a node holds in the end.
 *
 * A message carries who wrote it, its number, its length and a checksum of all that, so that one read back proves by
 * itself that it is whole and was really sent:
 *
 * ```text
 * <writer>.<number>.<padding>.<crc32 of what is before, 8 hex digits>
 * ```
 *
 * @module
 */
import { crc32 } from "node:zlib";

/** What is known of a message. */
export type Fate = "ok" | "no" | "maybe";

interface Entry {
  readonly length: number;
  fate: Fate;
  /** How many times it was sent. */
  sent: number;
}

/** Builds one message, without its line end, of at least `length` bytes. */
export function message(writer: number, number: number, length: number): string {
  const start = `${writer}.${number}.`;
  const text = start + "p".repeat(Math.max(0, length - start.length - 9));
  return `${text}.${(crc32(text) >>> 0).toString(16).padStart(8, "0")}`;
}

/** Who wrote a message and its number; `undefined` if it is not whole. */
export function parseMessage(text: string): { writer: number; number: number } | undefined {
  const match = /^((\d+)\.(\d+)\.p*)\.([0-9a-f]{8})$/.exec(text);
  if (!match || (crc32(match[1]!) >>> 0) !== parseInt(match[4]!, 16)) return undefined;
  return { writer: Number(match[2]), number: Number(match[3]) };
}

/** What was sent, and what became of it. */
export class Book {
  readonly #entries = new Map<string, Entry>();

  /** Notes that messages are being sent, perhaps again; until their fate is known it is maybe. */
  sending(writer: number, numbers: readonly number[], length: number): void {
    for (const number of numbers) {
      const entry = this.#entries.get(`${writer}.${number}`);
      if (entry) entry.sent++;
      else this.#entries.set(`${writer}.${number}`, { length, fate: "maybe", sent: 1 });
    }
  }

  /** Notes an answer. What was perhaps written stays so, whatever a later attempt is told, unless that is a yes. */
  answered(writer: number, numbers: readonly number[], fate: Fate): void {
    for (const number of numbers) {
      const entry = this.#entries.get(`${writer}.${number}`)!;
      if (fate === "ok" || (fate === "no" && entry.sent === 1)) entry.fate = fate;
    }
  }

  count(fate: Fate): number {
    return Array.from(this.#entries.values()).filter((entry) => entry.fate === fate).length;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Complaints about what is held, given as the chunks of every category.
   *
   * Each message that was answered 200 is there, once unless it was sent again; none that was refused is; all are
   * whole and were sent; within a chunk, those of one writer stand in the order in which they were sent.
   */
  complaints(chunks: Iterable<{ readonly name: string; readonly lines: readonly string[] }>): string[] {
    const found: string[] = [];
    const counts = new Map<string, number>();
    for (const { name, lines } of chunks) {
      const last = new Map<number, number>();
      for (const line of lines) {
        const parsed = parseMessage(line);
        if (!parsed) {
          found.push(`${name}: not whole, or never sent: ${JSON.stringify(line.slice(0, 80))}`);
          continue;
        }
        const id = `${parsed.writer}.${parsed.number}`;
        const entry = this.#entries.get(id);
        counts.set(id, (counts.get(id) ?? 0) + 1);
        if (!entry) found.push(`${name}: ${id} was never sent`);
        const before = last.get(parsed.writer) ?? -1;
        // One that was sent again may stand behind those that were sent after its first time.
        if (parsed.number <= before && entry?.sent === 1) {
          found.push(`${name}: ${id} stands behind ${before}`);
        }
        last.set(parsed.writer, Math.max(before, parsed.number));
      }
    }
    for (const [id, { fate, sent }] of this.#entries) {
      const count = counts.get(id) ?? 0;
      if (fate === "ok" && count === 0) found.push(`${id} was answered 200 and is gone`);
      if (fate === "no" && count > 0) found.push(`${id} was refused and is there`);
      if (count > sent) found.push(`${id} was sent ${sent} times and is there ${count} times`);
    }
    return found;
  }
}
