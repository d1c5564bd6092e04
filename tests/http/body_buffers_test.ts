/** @module Tests of `lib/http/body_buffers.ts` and `lib/http/growing_buffer.ts`: memory that is used again. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { ArrivingBodies } from "../../lib/http/arriving.ts";
import { takeBody } from "../../lib/http/body.ts";
import { BodyBudget } from "../../lib/http/body_budget.ts";
import { BodyBuffers } from "../../lib/http/body_buffers.ts";
import { BODY_BUFFERS_IDLE_BYTES_MAX, KIB, MIB } from "../../lib/protocol/limits.ts";
import { FakeClock } from "../support/fake_clock.ts";

Deno.test("BodyBuffers.sizeFor is enough, and hardly more than a quarter too much", () => {
  fc.assert(fc.property(fc.integer({ min: 64 * KIB, max: 200 * MIB }), (bytes) => {
    const size = BodyBuffers.sizeFor(bytes);
    assert(size >= bytes && size <= bytes * 1.26, `${bytes}: ${size}`);
    assertEquals(BodyBuffers.sizeFor(size), size);
  }));
  assertEquals(BodyBuffers.sizeFor(1), 4 * KIB);
  assertEquals(BodyBuffers.sizeFor(4 * KIB + 1), 64 * KIB + 64);
  assertEquals(BodyBuffers.sizeFor(MIB + 1), MIB + 64);
});

Deno.test("BodyBuffers gives each buffer to one at a time, and keeps no more than its bound", () => {
  const buffers = new BodyBuffers();
  const size = BodyBuffers.sizeFor(MIB);
  const first = buffers.take(size);
  assertEquals(first.length, size);
  buffers.give(first);
  assertEquals(buffers.idleBytes, size);
  assertStrictEquals(buffers.take(size), first);
  assert(buffers.take(size) !== first);
  assertEquals(buffers.idleBytes, 0);
  for (let i = 0; i < 100; i++) buffers.give(new Uint8Array(size));
  assert(buffers.idleBytes <= BODY_BUFFERS_IDLE_BYTES_MAX && buffers.idleBytes > 0);
  const before = buffers.idleBytes;
  buffers.give(new Uint8Array(BodyBuffers.sizeFor(64 * MIB)));
  buffers.give(new Uint8Array(BodyBuffers.sizeFor(1)));
  assertEquals(buffers.idleBytes, before, "neither very large nor tiny ones are kept");
});

/** A body that comes in parts of random sizes, each byte telling where it is and whose it is. */
function bodyOf(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + seed * 97) & 0xff);
}

Deno.test("takeBody: many bodies at once, by streams of bytes and by others, each come out as they were", async () => {
  const arriving = new ArrivingBodies(new BodyBudget(256 * MIB), new FakeClock());
  const batchBytesMax = 4 * MIB;
  const parts = fc.array(fc.integer({ min: 1, max: 200 * KIB }), { maxLength: 20 });
  const bodies = fc.array(fc.record({ parts, bytes: fc.boolean(), declared: fc.boolean() }), {
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(bodies, async (all) => {
      const held = await Promise.all(all.map(async (one, seed) => {
        const whole = bodyOf(one.parts.reduce((sum, part) => sum + part, 0), seed);
        const request = new Request("http://x/write", {
          method: "POST",
          body: one.bytes ? byteStream(whole, one.parts) : ReadableStream.from(cut(whole, one.parts)),
          headers: one.declared ? { "content-length": String(whole.length) } : {},
        });
        return { whole, body: await takeBody(request, { arriving, batchBytesMax }) };
      }));
      for (const { whole, body } of held) assertEquals(body.bytes, whole);
      for (const { body } of held) body.release();
      assertEquals(arriving.budget.used, 0);
    }),
    { numRuns: 50 },
  );
  assert(arriving.budget.buffers.idleBytes > 0, "and the memory waits for the next ones");
});

Deno.test("takeBody: a released body gives its memory to the next one, once", async () => {
  const arriving = new ArrivingBodies(new BodyBudget(256 * MIB), new FakeClock());
  const take = (seed: number) =>
    takeBody(
      new Request("http://x/write", {
        method: "POST",
        body: byteStream(bodyOf(MIB, seed), Array(16).fill(64 * KIB)),
        headers: { "content-length": String(MIB) },
      }),
      { arriving, batchBytesMax: 4 * MIB },
    );
  const first = await take(1);
  const { buffer } = first.bytes;
  first.release();
  first.release();
  const [second, third] = [await take(2), await take(3)];
  assertEquals(second.bytes, bodyOf(MIB, 2));
  assertEquals(third.bytes, bodyOf(MIB, 3));
  assert(second.bytes.buffer !== third.bytes.buffer);
  assertEquals(buffer.byteLength, 0, "the memory went on to the second, by way of the stream");
});

function* cut(whole: Uint8Array<ArrayBuffer>, parts: readonly number[]): Generator<Uint8Array<ArrayBuffer>> {
  let at = 0;
  for (const part of parts) yield whole.slice(at, at += part);
}

/** As the runtime makes them of sockets. */
function byteStream(
  whole: Uint8Array<ArrayBuffer>,
  sizes: readonly number[],
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const parts = [...cut(whole, sizes)];
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: 64 * KIB,
    pull(controller) {
      const request = controller.byobRequest!;
      const part = parts[0];
      if (!part) {
        controller.close();
        return request.respond(0);
      }
      const view = request.view as Uint8Array;
      const taken = part.subarray(0, view.byteLength);
      view.set(taken);
      if (taken.length < part.length) parts[0] = part.subarray(taken.length);
      else parts.shift();
      request.respond(taken.length);
    },
  });
}
