/**
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { SharedSync } from "../../lib/storage/shared_sync.ts";

/** A sync that ends when the test says so. */
function controlled() {
  const running: PromiseWithResolvers<void>[] = [];
  const shared = new SharedSync(() => {
    const one = Promise.withResolvers<void>();
    running.push(one);
    return one.promise;
  });
  return { shared, running };
}

Deno.test("SharedSync: who asks while a sync is under way shares the next one, not that one", async () => {
  const { shared, running } = controlled();
  const first = shared.run();
  const later = [shared.run(), shared.run(), shared.run()];
  assertEquals(running.length, 1);
  running[0]!.resolve();
  await first;
  let done = 0;
  later.forEach((one) => void one.then(() => done++));
  await new Promise<void>((resolve) => setImmediate(resolve));
  assertEquals([running.length, done], [2, 0]);
  running[1]!.resolve();
  await Promise.all(later);
  const last = shared.run();
  assertEquals(running.length, 3);
  running[2]!.resolve();
  await last;
});

Deno.test("SharedSync: a failure is told to those who waited for it, and the next sync is tried all the same", async () => {
  const { shared, running } = controlled();
  const first = shared.run();
  const second = shared.run();
  running[0]!.reject(new Error("device gone"));
  await assertRejects(() => first, Error, "device gone");
  await new Promise<void>((resolve) => setImmediate(resolve));
  running[1]!.resolve();
  await second;
});
