/**
 * The clients' book: what was sent, what was answered, and on which disks it must be.
 *
 * @module
 */
import type { BatchSource } from "../../lib/storage/batch_journal.ts";
import type { DiskLife } from "./holdings.ts";

/** What a client knows of a batch. */
export type Answer = "pending" | "ok" | "no" | "maybe";

/** That one disk holds a batch. */
interface Bond {
  readonly disk: DiskLife;
  readonly synced: boolean;
  readonly powerLosses: number;
}

/** One batch of one client. */
export class Batch {
  answer: Answer = "pending";
  /** Times that a node was asked to store it. */
  stored = 0;
  readonly bonds: Bond[] = [];
  /** What it is sent with, if it is to be stored once. */
  source: BatchSource | undefined;

  constructor(readonly category: string, readonly messages: readonly string[]) {}

  get bytes(): Uint8Array {
    return new TextEncoder().encode(this.messages.map((message) => `${message}\n`).join(""));
  }

  /** A disk holds it, at the moment that it was answered. */
  bind(disk: DiskLife, synced: boolean): void {
    this.bonds.push({ disk, synced, powerLosses: disk.powerLosses });
  }

  /** Whether a disk that held it when it was answered has not lost anything since that it could have lost. */
  get mustBeThere(): boolean {
    return this.bonds.some(({ disk, synced, powerLosses }) => {
      return !disk.lost && (synced || disk.powerLosses === powerLosses);
    });
  }
}

/** Every batch, and what was acknowledged. */
export class Book {
  readonly batches: Batch[] = [];
  readonly byMessage = new Map<string, Batch>();
  /** Messages that a reader has said, or wanted to say, that it is done with. */
  readonly released = new Set<string>();
  /** Chunks that a reader wanted to acknowledge, by `<category>/<chunk>`. */
  readonly asked = new Set<string>();
  /** Messages that workers of a consumer have read, by `<category> <consumer>`. */
  readonly #consumed = new Map<string, Set<string>>();
  #count = 0;

  /** Messages that workers of a consumer have read. */
  consumedBy(category: string, consumer: string): Set<string> {
    const key = `${category} ${consumer}`;
    const consumed = this.#consumed.get(key) ?? new Set();
    this.#consumed.set(key, consumed);
    return consumed;
  }

  /** A new batch, of messages that no other batch has. */
  open(category: string, client: number, sizes: readonly number[]): Batch {
    const messages = sizes.map((size) => `${client}.${this.#count++}.${"x".repeat(size)}`);
    const batch = new Batch(category, messages);
    this.batches.push(batch);
    for (const message of messages) this.byMessage.set(message, batch);
    return batch;
  }
}

/** The messages of some bytes. */
export function messagesOf(bytes: Uint8Array): string[] {
  return new TextDecoder().decode(bytes).split("\n").slice(0, -1);
}
