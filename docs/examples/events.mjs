/**
 * Writes events, reads them back as a named consumer, and prints what it found. It runs unchanged in Deno, Node and Bun:
 *
 * ```text
 * deno run -A docs/examples/events.mjs http://127.0.0.1:8080
 * node events.mjs http://127.0.0.1:8080        with the package installed: npm install chukcha
 * bun events.mjs http://127.0.0.1:8080
 * ```
 *
 * More addresses may follow: nodes of the same cluster.
 *
 * @module
 */
// deno-lint-ignore-file no-console -- an example prints what it found
import process from "node:process";
import { connect, withEventId } from "chukcha";

const EVENTS = 10_000;
const servers = process.argv.slice(2);
const chukcha = connect(servers.length > 0 ? { servers } : {});
const category = `example-${crypto.randomUUID()}`;

// Not awaited one by one: they go together, in batches. What could not be stored is thrown by close.
const producer = chukcha.producer(category);
const sent = new Map();
for (let order = 0; order < EVENTS; order++) {
  await producer.ready;
  const event = withEventId({ order, amount: order % 100 });
  sent.set(event.event_id, event);
  producer.send(event).catch(() => {});
}
await producer.close();

const consumer = chukcha.consumer(category, { name: "sum" });
const seen = new Set();
let sum = 0;
for await (const batch of consumer) {
  for (const event of batch.json()) {
    // A message may come again: its ID tells.
    if (seen.has(event.event_id)) continue;
    if (sent.get(event.event_id)?.order !== event.order) {
      throw new Error(`never sent: ${JSON.stringify(event)}`);
    }
    seen.add(event.event_id);
    sum += event.amount;
  }
  await batch.ack();
  if (seen.size === EVENTS) break;
}
await chukcha.node.forget(category, { consumer: "sum" });
await chukcha.close();

const expected = EVENTS / 100 * 4950;
if (sum !== expected) throw new Error(`the sum is ${sum}, not ${expected}`);
console.log(`${seen.size} events, sum ${sum}`);
