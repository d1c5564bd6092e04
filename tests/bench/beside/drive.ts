/**
 * A client of one contender in a process of its own: does one piece of work and prints its figures as a line of JSON.
 *
 * Arguments: name of the contender, address of its server, durability, what to do, and its numbers.
 *
 * @module
 */
import { CONTENDERS } from "./contenders.ts";
import type { Client, Durability, LatencyWay } from "./contender.ts";
import { quantile } from "./timing.ts";

/** What a client is told to do. */
export type Job =
  | { readonly do: "ingest"; readonly messages: number; readonly bytes: number }
  | { readonly do: "read"; readonly messages: number }
  | {
    readonly do: "latency";
    readonly way: LatencyWay;
    readonly messages: number;
    readonly intervalMs: number;
  }
  | {
    readonly do: "singles";
    readonly connections: number;
    readonly seconds: number;
    readonly bytes: number;
  };

/** What came out; each job has its own. */
export interface Driven {
  readonly perSecond?: number;
  readonly p50Millis?: number;
  readonly p99Millis?: number;
}

async function run(client: Client, job: Job, durability: Durability): Promise<Driven> {
  const start = performance.now();
  const perSecond = (count: number): Driven => ({ perSecond: count / (performance.now() - start) * 1_000 });
  switch (job.do) {
    case "ingest":
      await client.ingest(job.messages, job.bytes);
      return perSecond(job.messages);
    case "read": {
      const read = await client.readAll(job.messages);
      if (read < job.messages) throw new Error(`${read} of ${job.messages} messages were read`);
      return perSecond(read);
    }
    case "latency": {
      await client.latency(job.way, Math.min(200, job.messages), job.intervalMs);
      const took = await client.latency(job.way, job.messages, job.intervalMs);
      return { p50Millis: quantile(took, 0.5), p99Millis: quantile(took, 0.99) };
    }
    case "singles": {
      const { perSecond } = await client.singles!({ ...job, durability });
      return { perSecond };
    }
  }
}

if (import.meta.main) {
  const [name, address, durability, text] = Deno.args as [string, string, Durability, string];
  const job: Job = JSON.parse(text);
  const client = await CONTENDERS.find((one) => one.name === name)!.connect(address, durability);
  const driven = await run(client, job, durability);
  await client.close();
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(driven)}\n`));
  Deno.exit(0);
}
