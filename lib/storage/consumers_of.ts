/**
 * The consumers of one category, whether it is there already or not: what a store gives to whoever asks.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import type { ChunkPosition, From } from "../protocol/position.ts";
import type { CategoryConsumers } from "./category_consumers.ts";
import type { ConsumerPlace, Consumers } from "./consumers.ts";

/** Where they are found. */
export interface ConsumersSource {
  /** `undefined` if the category has none. */
  known(): CategoryConsumers | undefined;
  /** Makes the category if it is not there. Throws `ChukchaError` if it may not be, or the store is closing. */
  made(): CategoryConsumers;
  watch(fn: (name: string) => void): () => void;
}

/** Passes everything on to where they are. */
export class ConsumersOf implements Consumers {
  readonly #source: ConsumersSource;

  constructor(source: ConsumersSource) {
    this.#source = source;
  }

  list(): ConsumerPlace[] {
    return this.#source.known()?.list() ?? [];
  }

  get(name: string): ConsumerPlace | undefined {
    return this.#source.known()?.get(name);
  }

  async begin(name: string, from: From): Promise<ConsumerPlace> {
    return await this.#source.made().begin(name, from);
  }

  async useLeases(name: string): Promise<void> {
    await this.#there(name).useLeases(name);
  }

  async acknowledge(name: string, chunk: string, from: number, to: number, epoch?: number): Promise<void> {
    await this.#source.made().acknowledge({ name, chunk, from, to, epoch });
  }

  async seek(name: string, to: From | readonly ChunkPosition[]): Promise<ConsumerPlace> {
    return await this.#source.made().seek(name, to);
  }

  async forget(name: string): Promise<void> {
    await this.#there(name).forget(name);
  }

  watch(fn: (name: string) => void): () => void {
    return this.#source.watch(fn);
  }

  /** What is only done to those that exist makes no category. */
  #there(name: string): CategoryConsumers {
    if (this.#source.known()) return this.#source.made();
    throw new ChukchaError("consumer_not_found", `consumer: ${quote(name)} was never used, or is forgotten`);
  }
}
