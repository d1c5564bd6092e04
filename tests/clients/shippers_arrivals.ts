/**
 * What came of numbered lines that a shipper was given: each is looked for at every node, also at one that is down just
 * now, as soon as it is back.
 *
 * @module
 */
import { eventually } from "../support/eventually.ts";
import type { Member } from "../support/member.ts";

/** A shipper under load, and the nodes under it, may be slow; what takes longer does not happen. */
const WAIT_MS = 60_000;

/** Numbered lines, `<number> <padding>`: as text, and found again within whatever a shipper makes of them. */
export function numbered(from: number, count: number): string[] {
  return Array.from(
    { length: count },
    (_, i) => `line-${from + i}-of-the-log ${"p".repeat((from + i) % 90)}`,
  );
}

/** Lines that have arrived, and how often. */
export class Arrivals {
  /** Times that each number was seen. */
  readonly #seen = new Map<number, number>();
  /** How far each chunk of each node was read. */
  readonly #read = new Map<string, number>();
  /** Messages in which no line was found. */
  readonly strange: string[] = [];

  /** @param members nodes that do not copy from one another */
  constructor(private readonly members: readonly Member[], private readonly category: string) {}

  get count(): number {
    return this.#seen.size;
  }

  /** How many copies there are beyond the first. */
  get duplicates(): number {
    let sum = 0;
    for (const times of this.#seen.values()) sum += times - 1;
    return sum;
  }

  /** The first few of the numbers below `count` that have not been seen. */
  missing(count: number): number[] {
    return Array.from({ length: count }, (_, number) => number).filter((number) => !this.#seen.has(number));
  }

  /** Resolves as soon as so many different lines have arrived. */
  async until(count: number): Promise<void> {
    await eventually(
      `${count} lines arrive`,
      async () => {
        await this.look();
        return this.count;
      },
      (seen) => seen >= count,
      WAIT_MS,
    );
  }

  /** Reads what has come since the last time. */
  async look(): Promise<void> {
    for (const member of this.members) {
      if (!member.live) continue;
      for (const { name, size } of await member.listChunks(this.category)) {
        const key = `${member.instance} ${name}`;
        let at = this.#read.get(key) ?? 0;
        while (at < size) {
          const bytes = await member.read(this.category, name, at);
          at += bytes.length;
          this.#read.set(key, at);
          this.takeAll(new TextDecoder().decode(bytes));
        }
      }
    }
  }

  /** Takes whole lines that were read elsewhere. */
  takeAll(text: string): void {
    for (const line of text.split("\n").slice(0, -1)) this.#take(line);
  }

  #take(message: string): void {
    const found = /line-(\d+)-of-the-log p*/.exec(message);
    if (found === null) {
      this.strange.push(message);
      return;
    }
    const number = Number(found[1]);
    this.#seen.set(number, (this.#seen.get(number) ?? 0) + 1);
  }
}
