/**
 * What is measured side by side: a server, and a client of it, each used as its own documentation recommends.
 *
 * A {@linkcode Contender} starts and stops its server, in the process of the bench. Its {@linkcode Client} runs in a
 * process of its own (`drive.ts`), one for each piece of work, so that no client pays for the heap of another.
 *
 * @module
 */
import { SeededRandom } from "../../support/seeded_random.ts";

/**
 * What an answered message survives. `process`: the death of the server; the system writes to the device when it likes,
 * or the server tells it to each second. `sync`: power loss; on the device before the answer.
 */
export type Durability = "process" | "sync";

/** A server that runs, with a data directory of its own. */
export interface RunningContender {
  /** Of the server. */
  readonly pid: number;
  /** What {@linkcode Contender.connect} needs. */
  readonly address: string;
  /** Below which everything is stored. */
  readonly directory: string;
  stop(): Promise<void>;
}

/** Messages that were taken one after the other by several connections. */
export interface Singles {
  readonly perSecond: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** One system. */
export interface Contender {
  /** As it is named in tables. */
  readonly name: string;
  /** Name of its program, and what it is that is compared. */
  readonly about: string;
  /** Version of the server and its client. */
  version(): Promise<string>;
  /** Whether it has this figure. @default all */
  measures?(figure: string): boolean;
  /** Starts a server below `directory`; `undefined` where it has no such durability. */
  start(directory: string, durability: Durability): Promise<RunningContender> | undefined;
  /** A load generator of its own, if it has one that is faster than any client: messages one at a time. */
  singles?(server: RunningContender, options: SinglesOptions): Promise<Singles>;
  /** Connects a client; runs in the process of the client. */
  connect(address: string, durability: Durability): Promise<Client>;
}

/** How single messages are sent. */
export interface SinglesOptions {
  readonly connections: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly durability: Durability;
}

/** How messages are read whose times are taken. */
export type LatencyWay = "follow" | "consume";

/** What a client does. */
export interface Client {
  /** Stores `count` messages of `bytes` bytes, batched as recommended; resolves when the last one is acknowledged. */
  ingest(count: number, bytes: number): Promise<void>;
  /** As {@linkcode Contender.singles}, where there is no better generator than the client. */
  singles?(options: SinglesOptions): Promise<Singles>;
  /** Reads everything from the beginning and returns how many messages that were; stops at `count`. */
  readAll(count: number): Promise<number>;
  /**
   * Publishes `count` messages, one each `intervalMs`, and returns the milliseconds until each was there: at a reader that
   * follows and says nothing, or at a named one that acknowledges each.
   */
  latency(way: LatencyWay, count: number, intervalMs: number): Promise<number[]>;
  close(): Promise<void>;
}

/** How many different messages there are: servers that compress must not find one a million times. */
const VARIETY = 4_096;

/** Texts of `bytes` bytes without a line end, to be sent in turn; the same ones for everybody. */
export function messagesOf(bytes: number): readonly string[] {
  const random = new SeededRandom(1);
  return Array.from({ length: VARIETY }, (_, i) => {
    const head = `{"event":${100_000 + i},"text":"`;
    let text = "";
    while (text.length < bytes) text += random.below(2 ** 31).toString(36);
    return `${head}${text.slice(0, Math.max(0, bytes - head.length - 2))}"}`.slice(0, bytes);
  });
}

/** One of them. Making all of them takes a millisecond, so it is for once before the clock starts. */
export function messageOf(bytes: number): string {
  return messagesOf(bytes)[0]!;
}
