/**
 * How far each consumer is behind, with a bound on how many are told apart.
 *
 * The first ones that are seen have a row of their own until they are forgotten; all others share one, as categories do.
 *
 * @module
 */
import type { ConsumerInfo } from "../protocol/types.ts";
import { OTHER } from "./category_rows.ts";

/** What one row says. */
export interface ConsumerRow {
  readonly category: string;
  readonly consumer: string;
  readonly lagBytes: number;
}

/** Which consumers have rows. */
export class ConsumerRows {
  readonly #max: number;
  readonly #known = new Set<string>();

  /** @param max how many consumers have rows of their own */
  constructor(max: number) {
    this.#max = max;
  }

  /** The rows of all consumers there are, that of the others last. */
  of(infos: readonly ConsumerInfo[]): ConsumerRow[] {
    const present = new Set(infos.map(keyOf));
    for (const key of this.#known) if (!present.has(key)) this.#known.delete(key);
    const rows: ConsumerRow[] = [];
    let others = 0;
    for (const info of infos) {
      const { category, consumer, lag_bytes: lagBytes } = info;
      const key = keyOf(info);
      if (this.#known.size < this.#max) this.#known.add(key);
      if (this.#known.has(key)) rows.push({ category, consumer, lagBytes });
      else others += lagBytes;
    }
    return [...rows, { category: OTHER, consumer: OTHER, lagBytes: others }];
  }
}

/** No name has a space. */
function keyOf({ category, consumer }: ConsumerInfo): string {
  return `${category} ${consumer}`;
}
