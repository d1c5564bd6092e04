/**
 * Chukcha: a node of this checkout, and its own client.
 *
 * `process`: as it comes. `sync`: `--sync-each-write`. Batches: the client's producer as it comes. Single messages: wrk.
 *
 * @module
 */
import { connect } from "../../../lib/client/mod.ts";
import { VERSION } from "../../../lib/version.ts";
import { startListening } from "../../support/listening.ts";
import { owned } from "../owned.ts";
import { ROOT } from "../server.ts";
import { runWrk } from "../wrk.ts";
import {
  type Client,
  type Contender,
  type Durability,
  messageOf,
  messagesOf,
  type RunningContender,
} from "./contender.ts";
import { timeEach } from "./timing.ts";

const CATEGORY = "bench";
/** The message that makes a category; not timed. */
const FIRST = "first";

/** This. */
export const chukcha: Contender = {
  name: "Chukcha",
  about: "one node",
  version: () => Promise.resolve(`chukcha ${VERSION}, lib/client`),
  async start(directory: string, durability: Durability) {
    const sync = durability === "sync" ? ["--sync-each-write"] : [];
    const args = [
      "serve",
      "--listen",
      "127.0.0.1:0",
      "--data-dir",
      directory,
      "--instance",
      "bench",
      ...sync,
    ];
    const node = await startListening(Deno.execPath(), {
      args: ["run", "-A", "main.ts", ...args],
      cwd: ROOT,
    });
    return { pid: node.pid, address: node.url, directory, stop: owned(async () => void await node.stop()) };
  },
  async singles({ address }: RunningContender, { connections, seconds, bytes }) {
    const load = ["write", String(bytes + 1), "/write?category=bench"];
    const measured = { kind: "write", bytes, connections } as const;
    await runWrk(address, measured, load, 1);
    const { round } = await runWrk(address, measured, load, seconds);
    return { perSecond: round.requestsPerSecond, p50Micros: round.p50Micros, p99Micros: round.p99Micros };
  },
  // deno-lint-ignore require-await
  async connect(address: string): Promise<Client> {
    const bus = connect({ servers: [address] });
    return {
      async ingest(count, bytes) {
        const messages = messagesOf(bytes);
        await using producer = bus.producer(CATEGORY);
        for (let sent = 0; sent < count; sent++) {
          void producer.send(messages[sent % messages.length]!);
          if (producer.desiredSize <= 0) await producer.ready;
        }
        await producer.flush();
      },
      async readAll(count) {
        let read = 0;
        await using consumer = bus.consumer(CATEGORY, { name: "bench" });
        for await (const batch of consumer) {
          for (const _ of batch.texts()) read++;
          await batch.ack();
          if (read >= count) break;
        }
        return read;
      },
      async latency(way, count, intervalMs) {
        const category = `latency-${crypto.randomUUID()}`;
        const arrivals: number[] = [];
        const first = Promise.withResolvers<void>();
        const note = (messages: Iterable<string>): void => {
          const now = performance.now();
          for (const message of messages) {
            if (message === FIRST) first.resolve();
            else arrivals.push(now);
          }
        };
        await using producer = bus.producer(category);
        const follow = async (): Promise<void> => {
          for await (const piece of bus.tail(category)) {
            note(piece.texts());
            if (arrivals.length >= count) break;
          }
        };
        const consume = async (): Promise<void> => {
          for await (const batch of bus.consumer(category, { name: "bench" })) {
            note(batch.texts());
            await batch.ack();
            if (arrivals.length >= count) break;
          }
        };
        const reading = way === "follow" ? follow() : consume();
        // Makes the category and the consumer, as the others have theirs made before the clock starts.
        await producer.send(FIRST);
        await Promise.race([first.promise, reading]);
        const message = messageOf(100);
        const took = await timeEach(count, intervalMs, arrivals, () => producer.send(message));
        await reading;
        return took();
      },
      close: () => bus.close(),
    };
  },
};
