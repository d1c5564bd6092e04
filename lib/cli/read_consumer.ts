/**
 * `chukcha read --consumer`: what a consumer has not acknowledged, once.
 *
 * It ends when nothing is left, or when it has printed as much as there was at its start: whoever writes faster than it
 * prints does not keep it for ever. What is printed is acknowledged once the output has taken it, never before.
 *
 * It takes no leases: a run that was killed leaves nothing that the next one would have to wait for. What workers of the
 * consumer have on lease is theirs, and left out with a note.
 *
 * @module
 */
import { type ChukchaClient, ChukchaError, type ConsumerInfo } from "../client/mod.ts";
import { formatSize } from "../quantities.ts";
import { explain } from "./explain.ts";
import type { MessageLimit } from "./message_limit.ts";
import { printAndAck } from "./print_and_ack.ts";
import { retrying } from "./retry.ts";

/** Who reads what, and how it is printed. */
export interface ReadConsumerOptions {
  readonly category: string;
  readonly consumer: string;
  /** Bytes to ask for at once. */
  readonly rangeBytes: number;
  readonly limit: MessageLimit;
  readonly retryForMs: number;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
  /** Is told how much there is, before the first bytes are written. */
  readonly begin: (bytes: number) => void;
  readonly write: (bytes: Uint8Array) => Promise<void>;
}

/** Prints all of it, or what the limit allows. */
export async function readAsConsumer(client: ChukchaClient, options: ReadConsumerOptions): Promise<void> {
  const { category, consumer, rangeBytes, limit, signal, note, begin, write } = options;
  const onRetry = (error: unknown, pauseMs: number) =>
    note(`${explain(error)}; trying again in ${pauseMs} ms`);
  const trying = <T>(attempt: () => Promise<T>) => retrying(attempt, { ...options, onRetry });
  const info = () => trying(() => infoOf(client, category, consumer, signal));
  let left: number | undefined;
  while (!limit.isReached && left !== 0) {
    const found = await trying(() => client.consume(category, { consumer, maxSize: rangeBytes, signal }));
    if (!found) {
      const leased = (await info())?.leased_bytes ?? 0;
      if (leased > 0) note(`${formatSize(leased)} are on lease to workers of this consumer, and left out`);
      return;
    }
    if (left === undefined) {
      // Asked for after the first messages: a consumer that is new has no lag before.
      left = (await info())?.lag_bytes ?? found.bytes.length;
      begin(left);
    }
    const bytes = limit.take(found.bytes);
    left = Math.max(0, left - bytes.length);
    const { chunk, offset, epoch } = found;
    const piece = { consumer, chunk, offset, size: offset + bytes.length, epoch, signal };
    const ack = () => trying(() => ackUnlessMoved(client, category, piece));
    await printAndAck({ bytes, write, ack, consumer, note, signal });
  }
}

async function infoOf(
  client: ChukchaClient,
  category: string,
  consumer: string,
  signal: AbortSignal,
): Promise<ConsumerInfo | undefined> {
  return (await client.consumers(category, { signal })).find((info) => info.consumer === consumer);
}

async function ackUnlessMoved(
  client: ChukchaClient,
  category: string,
  ack: Parameters<ChukchaClient["ack"]>[1],
): Promise<boolean> {
  try {
    await client.ack(category, ack);
    return true;
  } catch (error) {
    if (error instanceof ChukchaError && error.code === "position_moved") return false;
    throw error;
  }
}
