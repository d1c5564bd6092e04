/**
 * `chukcha tail --consumer`: what a consumer has not acknowledged, and then what comes.
 *
 * What is printed is acknowledged once the output has taken it, never before: a crash in between prints it again. What was
 * fetched and not printed is given back at the end, so that others need not wait for its lease.
 *
 * @module
 */
import { type Batch, ChukchaError, Consumer, type Servers } from "../client/mod.ts";
import { explain } from "./explain.ts";
import type { MessageLimit } from "./message_limit.ts";
import { printAndAck } from "./print_and_ack.ts";

/** Who reads what, and how it is printed. */
export interface TailConsumerOptions {
  readonly category: string;
  readonly consumer: string;
  readonly from: string;
  readonly limit: MessageLimit;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
  readonly write: (bytes: Uint8Array) => Promise<void>;
}

/** Prints until the limit is reached, or the signal is aborted: then it rejects with its reason. */
export async function tailAsConsumer(servers: Servers, options: TailConsumerOptions): Promise<void> {
  const { category, consumer: name, from, limit, signal, note, write } = options;
  await reachAny(servers, category, signal);
  await using consumer = new Consumer(servers, category, {
    name,
    from,
    // Of what is fetched ahead, most would only be given back.
    ...limit.isBounded && { prefetch: 0 },
    giveUpMs: Infinity,
    onTrouble({ error, failures }) {
      if (failures === 1) note(`${explain(error)}; trying again`);
    },
    signal,
  });
  for await (const batch of consumer) {
    const bytes = limit.take(batch.bytes);
    const ack = () =>
      bytes.length === batch.size ? ackAll(batch) : ackPart(servers, options, batch, bytes.length);
    await printAndAck({ bytes, write, ack, consumer: name, note, signal });
    if (limit.isReached) return;
  }
}

/** Throws what is wrong if no node can be asked at all: later on that is waited for, now it may be a wrong address. */
async function reachAny(servers: Servers, category: string, signal: AbortSignal): Promise<void> {
  let failure: unknown;
  for (const client of servers.clients) {
    try {
      await client.consumers(category, { signal });
      return;
    } catch (error) {
      servers.failed(client);
      failure ??= error;
    }
  }
  throw failure;
}

async function ackAll(batch: Batch): Promise<boolean> {
  return await batch.ack() === "done";
}

/** Acknowledges the beginning of a batch, and gives the rest back. */
async function ackPart(
  servers: Servers,
  { category, consumer }: TailConsumerOptions,
  { chunk, offset, nextOffset, epoch }: Batch,
  bytes: number,
): Promise<boolean> {
  const client = servers.inOrder(`${category}/${consumer}`)[0]!;
  const end = offset + bytes;
  try {
    await client.ack(category, { consumer, chunk, offset, size: end, epoch });
    await client.lease(category, { consumer, chunk, offset: end, size: nextOffset, leaseMs: 0 });
  } catch (error) {
    if (!(error instanceof ChukchaError)) throw error;
    if (error.code === "position_moved") return false;
    // Another node lent it: it is lent until the end of its lease.
    if (error.code !== "not_leased") throw error;
  }
  return true;
}
