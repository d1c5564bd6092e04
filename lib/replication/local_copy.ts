/**
 * This node's copy of a chunk, as {@linkcode plan} looks at it.
 *
 * @module
 */
import type { Store } from "../storage/store.ts";
import { type LocalCopy, NOTHING } from "./plan.ts";

/** What this node holds of a chunk. */
export function localCopy(store: Store, category: string, name: string): LocalCopy {
  const chunk = store.chunk(category, name);
  if (!chunk) return NOTHING;
  const { size, synced, rolling, complete, settled, instance } = chunk;
  const active = instance === store.identity.instance && settled && !complete;
  return { size, synced, rolling, complete, active };
}
