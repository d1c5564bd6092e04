/**
 * How many descriptors this process has open, and may have.
 *
 * From `/proc`, which Linux has: since 6.2 the size of `/proc/self/fd` is their number, at 8 µs; before, they have to be
 * listed. Elsewhere nobody knows, nor where the runtime may not look: it asks for all permissions (`-A`).
 *
 * @module
 */
import { DESCRIPTORS_RESERVED, OPEN_FILES_MAX } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";

const DIRECTORY = "/proc/self/fd";

/** How many are open now; `undefined` where nobody knows. */
export function descriptorsOpen(): number | undefined {
  try {
    const { size } = Deno.statSync(DIRECTORY);
    return size > 0 ? size : [...Deno.readDirSync(DIRECTORY)].length;
  } catch (error) {
    if (isUnknown(error)) return undefined;
    throw error;
  }
}

/** The most that may be open, which the runtime has raised as far as it may; `Infinity` where nobody knows. */
export function descriptorsMax(): number {
  try {
    const text = Deno.readTextFileSync("/proc/self/limits");
    return Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? Infinity);
  } catch (error) {
    if (isUnknown(error)) return Infinity;
    throw error;
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable;
}

/** Files that the storage may keep open: fewer than usual where the system allows few descriptors. */
export function openFilesMax(): number {
  return Math.min(OPEN_FILES_MAX, Math.floor(descriptorsMax() / 4));
}

/**
 * Connections that may be open: the setting, or what the system's limit leaves for them, which is then told.
 *
 * @param base descriptors that are in use for other things than files and connections
 */
export function connectionsMax(maxConnections: number, base: number, log: Log): number {
  const descriptors = descriptorsMax();
  const reserved = openFilesMax() + Math.min(DESCRIPTORS_RESERVED, Math.floor(descriptors / 4));
  const possible = Math.max(1, descriptors - base - reserved);
  if (possible >= maxConnections) return maxConnections;
  log.info(`holds ${possible} connections: the system's limit of descriptors allows no more`, {
    descriptors,
    max_connections: maxConnections,
  });
  return possible;
}
