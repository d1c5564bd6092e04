/**
 * NATS JetStream: `nats-server` with a stream on disk, and its own clients for JavaScript.
 *
 * `process`: as it comes, synced by the server every two minutes. `sync`: `sync_interval: always`, where the server knows
 * it (since 2.10). Batches: publishes that are awaited a few thousand at a time, as its documentation recommends. Single
 * messages come from the client: Debian has no `nats bench`.
 *
 * @module
 */
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  type JetStreamClient,
  jetstreamManager,
} from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type Client, type Contender, type Durability, messageOf, messagesOf } from "./contender.ts";
import { freePort, output, startProgram } from "./program.ts";
import { timeEach, timeSingles } from "./timing.ts";

const STREAM = "bench";
const IN_FLIGHT = 5_000;
const READ_COUNT = 10_000;
/** From this version on each message can be synced. */
const SYNC_SINCE = [2, 10];

/** NATS. */
export const nats: Contender = {
  name: "NATS",
  about: "NATS JetStream, file storage",
  async version() {
    return `nats-server ${await serverVersion()}, npm @nats-io/jetstream`;
  },
  start(directory: string, durability: Durability) {
    return durability === "sync" && !knowsSync ? undefined : startServer(directory, durability);
  },
  async connect(address: string): Promise<Client> {
    const connection = await connect({ servers: address });
    const stream = jetstream(connection);
    await ensureStream(connection, STREAM);
    return {
      async ingest(count, bytes) {
        const encoder = new TextEncoder();
        const messages = messagesOf(bytes).map((text) => encoder.encode(text));
        for (let sent = 0; sent < count; sent += IN_FLIGHT) {
          const length = Math.min(IN_FLIGHT, count - sent);
          await Promise.all(
            Array.from({ length }, (_, i) => stream.publish(STREAM, messages[(sent + i) % messages.length]!)),
          );
        }
      },
      async singles({ connections, seconds, bytes }) {
        const all = await Promise.all(
          Array.from({ length: connections }, () => connect({ servers: address })),
        );
        const streams = all.map((one) => jetstream(one));
        const data = new TextEncoder().encode(messageOf(bytes));
        const singles = await timeSingles(connections, seconds, (n) => streams[n]!.publish(STREAM, data));
        await Promise.all(all.map((one) => one.close()));
        return singles;
      },
      readAll: (count) => readAll(stream, count),
      async latency(way, count, intervalMs) {
        await ensureStream(connection, "latency");
        const consumer = way === "follow"
          ? await stream.consumers.get("latency", { deliver_policy: DeliverPolicy.New })
          : await stream.consumers.get("latency", await makeConsumer(connection, "latency"));
        const messages = await consumer.consume();
        const arrivals: number[] = [];
        const reading = (async () => {
          for await (const message of messages) {
            arrivals.push(performance.now());
            if (way === "consume") message.ack();
            if (arrivals.length === count) break;
          }
        })();
        const data = new TextEncoder().encode(messageOf(100));
        const took = await timeEach(count, intervalMs, arrivals, () => stream.publish("latency", data));
        await reading;
        return took();
      },
      close: () => connection.close(),
    };
  },
};

/** Makes a consumer whose messages come again unless they are acknowledged, from now on; returns its name. */
async function makeConsumer(connection: NatsConnection, stream: string): Promise<string> {
  const name = crypto.randomUUID();
  const manager = await jetstreamManager(connection);
  await manager.consumers.add(stream, {
    durable_name: name,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.New,
  });
  return name;
}

const knowsSync = await serverVersion().then((version) => {
  const [major, minor] = version.split(".").map(Number);
  return major! > SYNC_SINCE[0]! || major === SYNC_SINCE[0] && minor! >= SYNC_SINCE[1]!;
}).catch(() => false);

async function serverVersion(): Promise<string> {
  return /v(\d\S+)/.exec(await output("nats-server", "--version"))?.[1] ?? "unknown";
}

async function startServer(directory: string, durability: Durability) {
  const port = freePort();
  const sync = durability === "sync" ? ", sync_interval: always" : "";
  const config = `${directory}/nats.conf`;
  await Deno.writeTextFile(
    config,
    `listen: "127.0.0.1:${port}"\njetstream: {store_dir: "${directory}/store"${sync}}\n`,
  );
  const program = await startProgram("nats-server", ["-c", config], /Server is ready/);
  return { ...program, address: `127.0.0.1:${port}`, directory };
}

async function ensureStream(connection: NatsConnection, name: string): Promise<void> {
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name, subjects: [name] });
}

async function readAll(stream: JetStreamClient, count: number): Promise<number> {
  const consumer = await stream.consumers.get(STREAM);
  let read = 0;
  for await (const _ of await consumer.consume({ max_messages: READ_COUNT })) {
    if (++read === count) break;
  }
  return read;
}
