/**
 * Redis Streams: `redis-server` with an append-only file, and its own client for JavaScript.
 *
 * `process`: the file is synced once a second, the default of `appendonly yes`. `sync`: `appendfsync always`. Batches
 * are what the client makes of commands that are issued together (automatic pipelining, as its documentation
 * recommends), a thousand at a time; several such at once were not faster. Single messages: `redis-benchmark` without
 * pipelining.
 *
 * @module
 */
import { createClient } from "redis";
import {
  type Client,
  type Contender,
  type Durability,
  messageOf,
  messagesOf,
  type RunningContender,
} from "./contender.ts";
import { freePort, output, startProgram } from "./program.ts";
import { timeEach } from "./timing.ts";

const STREAM = "bench";
const PIPELINED = 1_000;
const READ_COUNT = 10_000;

/** Redis. */
export const redis: Contender = {
  name: "Redis",
  about: "Redis Streams, append-only file",
  async version() {
    const server = /v=(\S+)/.exec(await output("redis-server", "--version"))?.[1] ?? "unknown";
    return `redis-server ${server}, npm redis`;
  },
  async start(directory: string, durability: Durability) {
    const port = freePort();
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""];
    const fsync = durability === "sync" ? "always" : "everysec";
    args.push("--appendonly", "yes", "--appendfsync", fsync);
    const program = await startProgram("redis-server", args, /Ready to accept connections/);
    return { ...program, address: `redis://127.0.0.1:${port}`, directory };
  },
  async singles(server: RunningContender, { connections, seconds, bytes }) {
    const { port } = new URL(server.address);
    const command = ["XADD", STREAM, "*", "d", messageOf(bytes)];
    const run = async (count: number): Promise<Map<string, number>> => {
      const options = ["-p", port, "-c", String(connections), "-n", String(count), "-P", "1", "--csv"];
      const csv = await output("redis-benchmark", ...options, ...command);
      const [head, row] = csv.trim().split("\n").slice(-2).map((line) => line.replaceAll('"', "").split(","));
      // The first cell is the command itself, with whatever commas it holds.
      const names = head!.slice(1);
      const figures = new Map(names.map((name, i) => [name, Number(row![row!.length - names.length + i])]));
      if (!(figures.get("rps")! > 0)) throw new Error(`redis-benchmark: no figures in ${csv}`);
      return figures;
    };
    const warm = await run(5_000);
    const figures = await run(Math.max(1_000, Math.round(warm.get("rps")! * seconds)));
    return {
      perSecond: figures.get("rps")!,
      p50Micros: figures.get("p50_latency_ms")! * 1_000,
      p99Micros: figures.get("p99_latency_ms")! * 1_000,
    };
  },
  async connect(address: string): Promise<Client> {
    const client = createClient({ url: address });
    await client.connect();
    return {
      async ingest(count, bytes) {
        const messages = messagesOf(bytes);
        for (let sent = 0; sent < count; sent += PIPELINED) {
          const length = Math.min(PIPELINED, count - sent);
          await Promise.all(
            Array.from(
              { length },
              (_, i) => client.xAdd(STREAM, "*", { d: messages[(sent + i) % messages.length]! }),
            ),
          );
        }
      },
      async readAll(count) {
        let read = 0;
        for (let id = "0"; read < count;) {
          const found = await client.xRead({ key: STREAM, id }, { COUNT: READ_COUNT }) as
            | { messages: { id: string; message: Record<string, string> }[] }[]
            | null;
          if (!found) break;
          const { messages } = found[0]!;
          read += messages.length;
          id = messages.at(-1)!.id;
        }
        return read;
      },
      async latency(way, count, intervalMs) {
        const reader = client.duplicate();
        await reader.connect();
        const arrivals: number[] = [];
        const note = (found: unknown): string[] => {
          const now = performance.now();
          const ids = (found as { messages: { id: string }[] }[] | null)?.[0]?.messages.map(({ id }) => id);
          ids?.forEach(() => arrivals.push(now));
          return ids ?? [];
        };
        const follow = async (): Promise<void> => {
          // Not "$": that is where the stream ends when the command arrives, which may be behind the first message.
          for (let id = last?.id ?? "0"; arrivals.length < count;) {
            id = note(await reader.xRead({ key: "latency", id }, { BLOCK: 0 })).at(-1) ?? id;
          }
        };
        const consume = async (): Promise<void> => {
          const next = { key: "latency", id: ">" };
          while (arrivals.length < count) {
            const ids = note(await reader.xReadGroup(group, "worker", next, { BLOCK: 0 }));
            if (ids.length > 0) await client.xAck("latency", group, ids);
          }
        };
        const last = (await client.xRevRange("latency", "+", "-", { COUNT: 1 }))?.[0];
        const group = crypto.randomUUID();
        if (way === "consume") await client.xGroupCreate("latency", group, "$", { MKSTREAM: true });
        const reading = way === "follow" ? follow() : consume();
        const message = { d: messageOf(100) };
        const took = await timeEach(count, intervalMs, arrivals, async () => {
          await client.xAdd("latency", "*", message);
        });
        await reading;
        await reader.close();
        return took();
      },
      close: () => client.close(),
    };
  },
};
