/**
 * Whatever workers, leases, restarts, other nodes and the disk do: no message is passed over, none is with two workers,
 * and what is acknowledged stays so.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Handed } from "../../lib/consumers/source.ts";
import { DEAD_LETTER_RETRY_MS, STUCK_MS } from "../../lib/protocol/limits.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import type { Chunk } from "../../lib/storage/chunk.ts";
import { settle } from "../support/fake_clock.ts";
import { CATEGORY, ConsumersWorld } from "./world.ts";

const NAME = "a";
const LEASE_MS = 100;

/** A message, and where it is. */
interface Message {
  readonly text: string;
  readonly chunk: string;
  readonly offset: number;
  readonly end: number;
}

/** What a worker holds. */
interface Held {
  readonly handed: Handed;
  readonly texts: readonly string[];
  untilMs: number;
}

class Model {
  readonly world = new ConsumersWorld();
  readonly messages = new Map<string, Message>();
  /** Acknowledged, in this epoch. */
  readonly done = new Set<string>();
  /** Perhaps. */
  readonly maybeDone = new Set<string>();
  held: Held[] = [];
  #count = 0;

  /** The owner's last chunk that may be written to. */
  #last(owner: string): Chunk {
    const own = [...this.world.made.values()].filter(({ instance }) => instance === owner);
    const last = own.at(-1);
    return last && !last.complete ? last : this.begin(owner);
  }

  begin(owner: string, isListed = true): Chunk {
    const own = [...this.world.made.values()].filter(({ instance }) => instance === owner);
    const chunk = this.world.make(owner, own.length);
    if (isListed) this.world.list(chunk);
    return chunk;
  }

  write(owner: string, sizes: readonly number[], chunk = this.#last(owner)): void {
    let at = chunk.size;
    const lines = sizes.map((size) => `${this.#count++}${"x".repeat(size)}\n`);
    for (const text of lines) {
      this.messages.set(text, { text, chunk: chunk.name, offset: at, end: at + text.length });
      at += text.length;
    }
    this.world.append(chunk, lines.join(""));
  }

  async consume(maxSize: number, leaseMs: number, maxDeliveries: number): Promise<boolean> {
    const { world } = this;
    const doneBefore = new Set(this.done);
    const want = { maxSize, leaseMs, maxDeliveries, worker: "" };
    let handed: Handed | undefined;
    try {
      handed = await world.dispensers.consume(CATEGORY, NAME, "earliest", want, 0, () => AbortSignal.abort());
    } catch (error) {
      // Damaged, or longer than maxSize: told, and tried again by somebody.
      assert(error instanceof ChukchaError && /^(damaged|invalid_offset)$/.test(error.code), String(error));
      return false;
    }
    if (!handed) return false;
    const text = new TextDecoder().decode(handed.body as Uint8Array);
    assertEquals(text.length, handed.size);
    assert(text.endsWith("\n"));
    const texts = text.split(/(?<=\n)/);
    const now = world.clock.monotonic();
    for (const one of texts) {
      assert(this.messages.has(one), `never written: ${one}`);
      assert(!doneBefore.has(one), `acknowledged before: ${one}`);
      for (const other of this.held) {
        assert(other.untilMs <= now || !other.texts.includes(one), `with two workers: ${one}`);
      }
    }
    if (leaseMs > 0) this.held.push({ handed, texts, untilMs: now + leaseMs });
    else await this.ack({ handed, texts, untilMs: 0 }, true);
    return true;
  }

  async ack(held: Held, saysWhere: boolean): Promise<void> {
    const { chunk, offset, size, epoch } = held.handed;
    this.held = this.held.filter((one) => one !== held);
    try {
      await this.world.dispensers.acknowledge(CATEGORY, NAME, {
        chunk,
        to: offset + size,
        from: saysWhere ? offset : undefined,
        epoch,
      });
    } catch (error) {
      assert(
        error instanceof ChukchaError && /^(not_leased|position_moved)$/.test(error.code),
        String(error),
      );
      return;
    }
    // Without saying where, a piece that was cut meanwhile is done with from the cut on.
    held.texts.forEach((text) => (saysWhere ? this.done : this.maybeDone).add(text));
  }

  lease(held: Held, leaseMs: number): void {
    const { chunk, offset, size, deliveries } = held.handed;
    held.untilMs = this.world.clock.monotonic() + leaseMs;
    if (leaseMs === 0) this.held = this.held.filter((one) => one !== held);
    try {
      this.world.dispensers.lending(CATEGORY, NAME).lease(chunk, offset, offset + size, leaseMs, deliveries);
    } catch (error) {
      assert(error instanceof ChukchaError && error.code === "not_leased", String(error));
      held.untilMs = 0;
    }
  }

  async seek(): Promise<void> {
    this.held = [];
    this.maybeDone.clear();
    this.world.letters.length = 0;
    if (this.world.places.get(NAME)) await this.world.dispensers.seek(CATEGORY, NAME, "earliest");
    this.done.clear();
  }

  elsewhere(index: number): void {
    const message = [...this.messages.values()][index % Math.max(1, this.messages.size)];
    if (!message || !this.world.places.get(NAME)) return;
    this.world.places.acknowledgedElsewhere(NAME, message.chunk, message.offset, message.end);
    this.done.add(message.text);
  }

  restart(): void {
    this.held = [];
    this.world.start();
  }

  damage(index: number): void {
    const message = [...this.messages.values()][index % Math.max(1, this.messages.size)];
    if (message) this.world.damaged.set(message.chunk, message.offset);
  }

  /** Everything is well again, and everybody reads to the end: nothing may be missing. */
  async end(): Promise<void> {
    const { world } = this;
    world.damaged.clear();
    for (const chunk of world.made.values()) {
      chunk.complete = true;
      world.list(chunk);
    }
    for (let idle = 0; idle < 3;) {
      const isThere = await this.consume(1 << 20, LEASE_MS, 0);
      for (const held of [...this.held]) if (held.untilMs > 0) await this.ack(held, true);
      idle = isThere ? 0 : idle + 1;
      if (!isThere) world.clock.advance(LEASE_MS * 10 + STUCK_MS + DEAD_LETTER_RETRY_MS);
      await settle();
    }
    const dead = new Set(world.letters.map((line) => `${JSON.parse(line).text}\n`));
    for (const text of this.messages.keys()) {
      const isProcessed = [this.done, this.maybeDone, dead].some((those) => those.has(text));
      assert(isProcessed, `passed over: ${text}`);
    }
    const [info] = await world.dispensers.list([CATEGORY]);
    assertEquals([info!.lag_bytes, info!.lag_chunks, info!.leased_bytes], [0, 0, 0]);
    assertEquals([world.meter.pieces, world.meter.leases, world.meter.polls], [0, 0, 0]);
  }
}

const owner = fc.constantFrom("n", "m", "o");
const index = fc.nat({ max: 30 });
type Step = ((model: Model) => unknown) & { isAlone?: true };

/** A step that nothing else is under way with. */
function alone(step: Step): Step {
  return Object.assign(step, { isAlone: true as const });
}

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(owner, fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 5 }))
      .map(([of, sizes]): Step => (model) => model.write(of, sizes)),
  },
  { weight: 2, arbitrary: owner.map((of): Step => (model) => model.begin(of)) },
  // One whose older neighbour is listed later, and one that is complete.
  {
    weight: 1,
    arbitrary: owner.map((of): Step => (model) => {
      model.write(of, [1, 2], model.begin(of, false));
      model.begin(of);
    }),
  },
  {
    weight: 2,
    arbitrary: index.map((at): Step => ({ world, write: _ }) => {
      const chunk = [...world.made.values()][at];
      if (chunk) chunk.complete = true;
    }),
  },
  {
    weight: 2,
    arbitrary: index.map((at): Step => ({ world }) => {
      const chunk = [...world.made.values()][at];
      if (chunk) world.list(chunk);
    }),
  },
  // An older chunk that grows.
  {
    weight: 2,
    arbitrary: index.map((at): Step => (model) => {
      const chunk = [...model.world.made.values()][at];
      if (chunk && !chunk.complete) model.write(chunk.instance, [3], chunk);
    }),
  },
  {
    weight: 12,
    arbitrary: fc.tuple(
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(0, LEASE_MS, LEASE_MS * 3),
      fc.constantFrom(0, 0, 1, 2),
    ).map(([size, lease, times]): Step => (model) => model.consume(size, lease, times)),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(index, fc.boolean()).map(([at, says]): Step => (model) => {
      const held = model.held[at % Math.max(1, model.held.length)];
      return held && model.ack(held, says);
    }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(index, fc.constantFrom(0, LEASE_MS * 2)).map(([at, ms]): Step => (model) => {
      const held = model.held[at % Math.max(1, model.held.length)];
      if (held) model.lease(held, ms);
    }),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(10, LEASE_MS, STUCK_MS).map((ms): Step => ({ world }) =>
      world.clock.advance(ms)
    ),
  },
  { weight: 2, arbitrary: index.map((at): Step => (model) => model.elsewhere(at)) },
  { weight: 1, arbitrary: fc.constant(alone((model) => model.seek())) },
  { weight: 1, arbitrary: fc.constant(alone((model) => model.restart())) },
  { weight: 1, arbitrary: index.map((at): Step => (model) => model.damage(at)) },
  { weight: 1, arbitrary: fc.constant<Step>(({ world }) => world.damaged.clear()) },
);

Deno.test("whatever happens, no message is passed over, and none is with two workers of one node", async () => {
  // Steps of one group are under way at the same time, unless one of them replaces the node or the place.
  const groups = fc.array(fc.array(steps, { minLength: 1, maxLength: 4 }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(groups, async (all) => {
      const model = new Model();
      for (const group of all) {
        await Promise.all(group.filter(({ isAlone }) => !isAlone).map((step) => step(model)));
        for (const step of group) if (step.isAlone) await step(model);
      }
      await model.end();
    }),
    { numRuns: 400 },
  );
});
