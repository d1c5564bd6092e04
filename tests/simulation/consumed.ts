/**
 * ConsumerMissesNothing: what a consumer is not given any more, at whatever node, is what its workers have read.
 *
 * @module
 */
import { parseChunkName } from "../../lib/protocol/names.ts";
import type { Store } from "../../lib/storage/store.ts";
import { comparePlaces, encodeUnread, type Unread, without } from "../../lib/storage/unread.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** Some messages of a chunk that a consumer has not read, as far as they are here. */
export interface Stretch {
  readonly chunk: string;
  readonly from: number;
  readonly to: number;
}

/** What of a category's chunks a node would hand out, in the order of chunks. */
export function stretches(store: Store, category: string, unreadOf: (owner: string) => Unread): Stretch[] {
  return store.listChunks(category).flatMap(({ name, size }) => {
    const { instance, number } = parseChunkName(name)!;
    return unreadOf(instance).flatMap(({ start, end }) => {
      if (comparePlaces(end, { number, offset: 0 }) <= 0 || start.number > number) return [];
      const from = start.number < number ? 0 : start.offset;
      const to = end?.number === number ? Math.min(end.offset, size) : size;
      return from < to ? [{ chunk: name, from, to }] : [];
    });
  });
}

/** What nodes know of a category's consumers, for comparing them. */
export function placesOf(store: Store, category: string): unknown[] {
  return store.consumers(category).list().map(({ name }) => {
    const { epoch, owners } = store.consumerRecord(category, name)!;
    const intervals = [...owners].sort(([a], [b]) => a < b ? -1 : 1).map((
      [owner, unread],
    ) => [owner, encodeUnread(unread)]);
    return [name, epoch, intervals];
  });
}

/** Throws a `Violation` if a node takes a message for read that no worker of a consumer has read. */
export function checkConsumed(world: World, name: string, store: Store): void {
  for (const category of store.listCategories()) {
    for (const place of store.consumers(category).list()) {
      const read = world.book.consumedBy(category, place.name);
      for (const { name: chunk, size } of store.listChunks(category)) {
        const { instance, number } = parseChunkName(chunk)!;
        const unread = place.unread(instance);
        const text = new TextDecoder().decode(world.registry.contentOf(category, chunk).subarray(0, size));
        let offset = 0;
        for (const message of text.split("\n").slice(0, -1)) {
          const end = offset + message.length + 1;
          const isRead = without(unread, { number, offset }, { number, offset: end }) === unread;
          if (isRead && !read.has(message)) {
            throw new Violation(
              "ConsumerMissesNothing",
              `${name} does not give ${
                message.slice(0, 20)
              } of ${category}/${chunk} to ${place.name}, which has not read it`,
            );
          }
          offset = end;
        }
      }
    }
  }
}
