/**
 * A store on a simulated disk under a fake clock, as most tests of storage need it.
 *
 * @module
 */
import type { Log, LogFields } from "../../lib/protocol/log.ts";
import type { StoreOptions } from "../../lib/storage/context.ts";
import type { Disk } from "../../lib/storage/disk.ts";
import { Store } from "../../lib/storage/store.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";

/** What the tests' stores do unless they say otherwise. */
export const OPTIONS: StoreOptions = {
  instance: "n",
  chunkBytesMax: 1 << 20,
  rotateIntervalMs: 600_000,
  minFreeDiskBytes: 0,
  openFilesMax: 64,
};

/** A log that a test can look at: each line as `level: sentence`. */
export class LogLines implements Log {
  readonly lines: string[] = [];
  debug(message: string): void {
    this.lines.push(`debug: ${message}`);
  }
  info(message: string): void {
    this.lines.push(`info: ${message}`);
  }
  warn(message: string, fields?: LogFields): void {
    this.lines.push(`warn: ${message} ${JSON.stringify(fields ?? {})}`);
  }
  error(message: string, fields?: LogFields): void {
    this.lines.push(`error: ${message} ${JSON.stringify(fields ?? {})}`);
  }
  /** The lines of a level, or worse. */
  of(...levels: ("warn" | "error")[]): string[] {
    return this.lines.filter((line) => levels.some((level) => line.startsWith(level)));
  }
}

/** An open store and the ground it stands on. */
export interface World<D extends Disk = MemoryDisk> {
  readonly store: Store;
  readonly disk: D;
  readonly clock: FakeClock;
  readonly log: LogLines;
}

/** Opens a store on `disk`. */
export async function openOn<D extends Disk>(
  disk: D,
  options: Partial<StoreOptions> = {},
  clock: FakeClock = new FakeClock(),
  seed = 1,
): Promise<World<D>> {
  const log = new LogLines();
  const seams = { disk, clock, random: new SeededRandom(seed), log };
  const store = await Store.open({ ...OPTIONS, ...options }, seams);
  return { store, disk, clock, log };
}

/** Opens a store on a new simulated disk. */
export function openNew(options: Partial<StoreOptions> = {}): Promise<World> {
  return openOn(new MemoryDisk(), options);
}

/** UTF-8. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text of bytes. */
export function text(content: Uint8Array): string {
  return new TextDecoder().decode(content);
}

/** All bytes of a range, streamed or not. */
export async function bodyOf(
  { body }: { body: Uint8Array | ReadableStream<Uint8Array> },
): Promise<Uint8Array> {
  return body instanceof Uint8Array ? body : new Uint8Array(await new Response(body).arrayBuffer());
}

/** What a read gives, as text. */
export async function readText(
  store: Store,
  category: string,
  chunk: string,
  offset = 0,
  sizeMax = 1 << 20,
): Promise<string> {
  return text(await bodyOf(await store.read(category, chunk, offset, sizeMax)));
}
