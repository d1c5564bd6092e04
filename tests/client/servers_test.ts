/**
 * Which node is asked first, and for how long one that failed comes last.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChukchaError, Servers } from "../../lib/client/mod.ts";

const ADDRESSES = Array.from({ length: 5 }, (_, i) => `http://10.0.0.${i + 1}:8080`);
const KEYS = Array.from({ length: 1000 }, (_, i) => `web/consumer_${i}`);

/** Numbers of the nodes, as they were named. */
function orderOf(servers: Servers, key: string): number[] {
  return servers.inOrder(key).map((client) => servers.clients.indexOf(client));
}

/** Time that stands still until it is moved. */
function fakeTime() {
  const real = performance.now;
  let nowMs = 1000;
  performance.now = () => nowMs;
  return { pass: (ms: number) => void (nowMs += ms), [Symbol.dispose]: () => void (performance.now = real) };
}

Deno.test("inOrder is the same for the same key, in every program and in each version of this one", () => {
  const servers = new Servers({ servers: ADDRESSES });
  const shuffled = new Servers({ servers: ADDRESSES.toReversed() });
  for (const key of KEYS.slice(0, 20)) {
    assertEquals(orderOf(shuffled, key), orderOf(servers, key).map((i) => ADDRESSES.length - 1 - i));
  }
  // Computed once and for all: programs of different versions must meet.
  assertEquals(orderOf(servers, "web/indexer"), [3, 2, 1, 0, 4]);
});

Deno.test("inOrder spreads keys evenly, and a node more moves only the keys that it gets", () => {
  const four = new Servers({ servers: ADDRESSES.slice(0, 4) });
  const five = new Servers({ servers: ADDRESSES });
  const counts = [0, 0, 0, 0, 0];
  for (const key of KEYS) {
    const [first] = orderOf(five, key);
    counts[first!]!++;
    if (first !== 4) assertEquals(first, orderOf(four, key)[0], key);
  }
  assert(counts.every((count) => count > 140 && count < 260), `${counts}`);
});

Deno.test("a node that failed comes last, for longer each time, and comes back by itself", () => {
  using time = fakeTime();
  const servers = new Servers({ servers: ADDRESSES });
  const order = servers.inOrder("web");
  const [first, second] = order;
  servers.failed(first!);
  // Requests that fail together count once.
  servers.failed(first!);
  assertEquals(servers.inOrder("web"), [...order.slice(1), first!]);
  servers.failed(second!);
  assertEquals(servers.inOrder("web").slice(0, 3), order.slice(2));
  time.pass(1000);
  assertEquals(servers.inOrder("web"), order);
  servers.failed(first!);
  time.pass(1999);
  assertEquals(servers.inOrder("web")[0], second);
  time.pass(1);
  assertEquals(servers.inOrder("web")[0], first);
  servers.failed(first!);
  servers.worked(first!);
  assertEquals(servers.inOrder("web")[0], first);
  servers.failed(first!);
  time.pass(1000);
  assertEquals(servers.inOrder("web")[0], first);
});

Deno.test("those that failed are among themselves in the order in which they come back", () => {
  using time = fakeTime();
  const servers = new Servers({ servers: ADDRESSES });
  const order = servers.inOrder("web");
  for (const client of order.toReversed()) {
    servers.failed(client);
    time.pass(10);
  }
  assertEquals(servers.inOrder("web"), order.toReversed());
});

Deno.test("addresses are taken as they are, each once, and judged", () => {
  assertEquals(new Servers().clients.length, 1);
  assertEquals(new Servers({ servers: new URL("http://10.0.0.1:8080") }).clients.length, 1);
  assertEquals(new Servers({ servers: ["http://node:80", "HTTP://Node/"] }).clients.length, 1);
  assertThrows(() => new Servers({ servers: [] }), ChukchaError, "servers: the list is empty");
  assertThrows(() => new Servers({ servers: ["10.0.0.1:8080"] }), ChukchaError, '"10.0.0.1:8080"');
  // A stranger's client changes nothing.
  const servers = new Servers({ servers: ADDRESSES });
  servers.failed(new Servers().clients[0]!);
});
