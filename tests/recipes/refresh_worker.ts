/**
 * An indexer of the full-text recipe in a thread of its own, with connections of its own. It says when it has fetched, is
 * as slow afterwards as it is told to be, and says when it is done.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { fetchFrom, openIndex, openSource, refresh } from "../../docs/recipes/full_text.ts";

/** What it is told. */
export interface Order {
  readonly index: string;
  readonly source: string;
  readonly ids: readonly string[];
  /** Shared memory; it goes on behind its fetch when the number in it is not 0. */
  readonly gate: Int32Array<SharedArrayBuffer>;
}

self.onmessage = async ({ data }: MessageEvent<Order>): Promise<void> => {
  using index = openIndex(data.index);
  using source = openSource(data.source);
  const fetch = fetchFrom(source);
  await refresh(index, data.ids, async (ids) => {
    const articles = await fetch(ids);
    self.postMessage("fetched");
    Atomics.wait(data.gate, 0, 0);
    return articles;
  });
  self.postMessage("done");
};
