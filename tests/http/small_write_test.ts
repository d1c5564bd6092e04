/** @module Tests of `lib/http/small_write.ts`: the short way of small writes, on a clock that stands still. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ErrorAnswers } from "../../lib/http/answer.ts";
import { ArrivingBodies } from "../../lib/http/arriving.ts";
import { BodyBudget } from "../../lib/http/body_budget.ts";
import { Pace } from "../../lib/http/pace.ts";
import type { Service } from "../../lib/http/service.ts";
import { smallWrite } from "../../lib/http/small_write.ts";
import { Traffic } from "../../lib/http/traffic.ts";
import { WriteTargets } from "../../lib/http/write_targets.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import {
  BODY_WHOLE_BYTES_MAX,
  PACE_CHECK_MS,
  PACE_SILENT_MS,
  WRITE_DEADLINE_COARSE_MS,
} from "../../lib/protocol/limits.ts";
import { SILENT_LOG } from "../../lib/protocol/log.ts";
import type { Append } from "../../lib/storage/append_queue.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

/** A node of which only that exists which small writes touch; what is queued stays so until the test says. */
class Node {
  readonly clock = new FakeClock();
  readonly budget = new BodyBudget(1000);
  readonly traffic = new Traffic();
  readonly queued: [category: string, append: Append][] = [];
  readonly service: Service;
  draining = false;

  constructor() {
    this.traffic.addRoutes(["/write"]);
    const parts: Partial<Service> = {
      clock: this.clock,
      budget: this.budget,
      traffic: this.traffic,
      arriving: new ArrivingBodies(this.budget, this.clock),
      storing: new Pace(this.clock),
      targets: new WriteTargets({ syncEachWrite: false, minSyncReplicas: 0, peerCount: 2 }),
      store: {
        submit: (category: string, append: Append) => void this.queued.push([category, append]),
      } as unknown as Service["store"],
      messageBytesMax: 100,
      batchBytesMax: 10_000,
      refusal: () => undefined,
    };
    // deno-lint-ignore no-this-alias
    const node = this;
    this.service = Object.defineProperty(parts as Service, "draining", { get: () => node.draining });
  }

  send(url: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Response> | undefined {
    const length = typeof body === "string" ? { "content-length": String(body.length) } : {};
    const request = new Request(`http://x${url}`, {
      method: "POST",
      body,
      headers: { ...length, ...headers },
    });
    const errors = new ErrorAnswers(SILENT_LOG, this.clock, () => {});
    return smallWrite(this.service, request, (error) => errors.answer(error));
  }

  counts(): (string | number)[][] {
    return [...this.traffic.requests()].filter(([path, , count]) => path === "/write" && count > 0);
  }
}

const STORED = { chunk: "a-0", offset: 7, size: 3 };

Deno.test("smallWrite answers what was stored, counts it, and gives its memory back", async () => {
  const node = new Node();
  const answer = node.send("/write?category=a", "a\nb")!;
  await settle();
  const [[category, append]] = node.queued as [[string, Append]];
  assertEquals([category, append.sync, append.source], ["a", false, undefined]);
  assertEquals(new TextDecoder().decode(append.bytes), "a\nb\n");
  assertEquals(node.budget.used, 3);
  append.stored(STORED, node.clock.monotonic() + 500);
  const response = await answer;
  assertEquals([response.status, await response.json()], [200, STORED]);
  assertEquals(node.budget.used, 0);
  assertEquals(node.counts(), [["/write", 200, 1]]);
  const row = node.traffic.categories.of("a");
  assertEquals([row.batches, row.messages, row.writtenBytes], [1, 2, 3]);
  assertEquals([node.traffic.writeSeconds.count, node.traffic.writeSeconds.sum], [1, 0.5]);
});

Deno.test("smallWrite of nothing stores nothing, and is no batch", async () => {
  const node = new Node();
  const response = await node.send("/write?category=a", "")!;
  assertEquals(await response.json(), { chunk: "", offset: 0, size: 0 });
  assertEquals([node.queued.length, node.traffic.writeSeconds.count], [0, 0]);
  assertEquals(node.counts(), [["/write", 200, 1]]);
});

Deno.test("smallWrite leaves alone what is special, and what is refused before its body", () => {
  const node = new Node();
  const url = "/write?category=a";
  assert(node.send(url, "x") !== undefined);
  for (
    const [where, headers] of [
      [`${url}&producer=p&sequence=1`],
      [`${url}&min_sync_replicas=1`],
      [`${url}&sync_each_write=true&timeout=${WRITE_DEADLINE_COARSE_MS - 1}`],
      ["/write?category=..%2F"],
      ["/write?"],
      [url, { "content-encoding": "gzip" }],
      [url, { "content-length": String(BODY_WHOLE_BYTES_MAX + 1) }],
      [url, { "content-length": "10001" }],
      [url, { "content-length": "no number" }],
    ] as [string, Record<string, string>?][]
  ) assertEquals(node.send(where, "x", headers), undefined, `${where} ${JSON.stringify(headers)}`);
  assertEquals(node.send(url, ReadableStream.from([new Uint8Array(1)])), undefined, "without a length");
  node.draining = true;
  assertEquals(node.send(url, "x"), undefined);
});

Deno.test("smallWrite answers what a batch or the queue is refused for", async () => {
  const node = new Node();
  const long = await node.send("/write?category=a", "x".repeat(101))!;
  assertEquals([long.status, (await long.json()).error.code], [413, "too_large"]);
  const much = await node.send("/write?category=a", "x\n".repeat(501))!;
  assertEquals([much.status, (await much.json()).error.code], [503, "overloaded"]);
  const full = node.send("/write?category=a", "x")!;
  await settle();
  node.queued[0]![1].refused(new ChukchaError("disk_full", "write: no room"));
  assertEquals((await full).status, 503);
  assertEquals([node.budget.used, node.service.arriving.count], [0, 0]);
  assertEquals(node.counts(), [["/write", 413, 1], ["/write", 503, 2]]);
});

Deno.test("smallWrite: a body that stalls is answered once; what then comes of it is not stored", async () => {
  const node = new Node();
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({ start: (made) => void (controller = made) });
  const answer = node.send("/write?category=a", body, { "content-length": "2" })!;
  node.clock.advance(PACE_SILENT_MS + 2 * PACE_CHECK_MS);
  const response = await answer;
  assertEquals(response.status, 503);
  assertMatch((await response.json()).error.message, /^body: too slow/);
  controller.enqueue(new TextEncoder().encode("x\n"));
  controller.close();
  await settle();
  assertEquals([node.queued.length, node.budget.used, node.service.arriving.count], [0, 0, 0]);
  assertEquals(node.counts(), [["/write", 503, 1]]);
});

Deno.test("smallWrite: a connection that breaks in the body is told apart from one that the node ends", async () => {
  for (const [draining, status, code] of [[false, 400, "invalid_body"], [true, 503, "draining"]] as const) {
    const node = new Node();
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (made) => void (controller = made) });
    const answer = node.send("/write?category=a", body, { "content-length": "2" })!;
    node.draining = draining;
    controller.error(new Deno.errors.BadResource("gone"));
    const response = await answer;
    assertEquals([response.status, (await response.json()).error.code], [status, code]);
    assertEquals([node.queued.length, node.service.arriving.count], [0, 0]);
  }
});

Deno.test("smallWrite: a sync that takes too long is answered as maybe; its end gives the memory back", async () => {
  const node = new Node();
  const url = `/write?category=a&sync_each_write=true&timeout=${WRITE_DEADLINE_COARSE_MS}`;
  const answer = node.send(url, "x\n")!;
  await settle();
  const append = node.queued[0]![1];
  assert(append.sync);
  node.clock.advance(WRITE_DEADLINE_COARSE_MS - PACE_CHECK_MS);
  assertEquals(node.service.storing.count, 1);
  node.clock.advance(2 * PACE_CHECK_MS);
  const response = await answer;
  const { error } = await response.json();
  assertEquals([response.status, error.code, error.written], [503, "not_confirmed", "maybe"]);
  assertEquals(node.budget.used, 2, "the queue still has the batch");
  append.stored(STORED, node.clock.monotonic());
  assertEquals([node.budget.used, node.service.storing.count], [0, 0]);
  assertEquals(node.counts(), [["/write", 503, 1]]);
});
