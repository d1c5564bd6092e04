/**
 * Two stores of one cluster, and bytes carried from the one to the other by hand: what tests of copies need.
 *
 * @module
 */
import type { Store } from "../../lib/storage/store.ts";
import type { StoreOptions } from "../../lib/storage/context.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { bodyOf, openOn, type World } from "./world.ts";

/** The nodes of the tests' clusters. */
const NODES = ["n", "m", "o"];

/** Opens a node of the cluster, which has joined. */
export function openNode(
  instance: string,
  disk: MemoryDisk = new MemoryDisk(),
  options: Partial<StoreOptions> = {},
): Promise<World> {
  const peers = NODES.filter((name) => name !== instance);
  return openOn(disk, { instance, peers, bootstrap: true, ...options });
}

/** The name of a chunk of the first node. */
export function chunkOf(number: number, instance = "n"): string {
  return `${instance}-chunk${String(number).padStart(9, "0")}`;
}

/** Carries what `to` lacks of a chunk over, in pieces of what `sizes` says; returns where they ended. */
export async function carry(
  from: Store,
  to: Store,
  category: string,
  chunk: string,
  sizes: () => number = () => 1 << 20,
  upTo = Infinity,
): Promise<number[]> {
  const ends: number[] = [];
  await to.prepareCopies(category, [chunk]);
  for (;;) {
    const offset = to.chunk(category, chunk)?.size ?? 0;
    const piece = offset >= upTo ? undefined : from.readPiece(category, chunk, offset, sizes());
    if (!piece) return ends;
    const done = to.appendCopy({ category, chunk, ...piece }, from.identity.instance);
    if (done !== "appended") throw new Error(`${chunk} at ${offset}: ${done}`);
    ends.push(offset + piece.bytes.length);
  }
}

/** Carries over that it is complete. */
export function carryEnd(from: Store, to: Store, category: string, chunk: string): boolean {
  const { size, rolling, finalised } = from.chunk(category, chunk)!;
  return to.completeCopy(category, chunk, size, rolling, finalised, from.identity.instance);
}

/** All messages of a category, sorted. */
export async function messages(store: Store, category: string): Promise<string[]> {
  const all: string[] = [];
  for (const { name, size } of store.listChunks(category)) {
    const body = await bodyOf(await store.read(category, name, 0, size));
    all.push(...new TextDecoder().decode(body).split("\n").slice(0, -1));
  }
  return all.sort();
}
