/**
 * Takes over what the files of a category say of its consumers, see `consumers_file.ts`.
 *
 * @module
 */
import {
  CONSUMERS_ADVICE,
  CONSUMERS_FILE,
  CONSUMERS_RECENT_FILES,
  type FoundConsumers,
  readConsumers,
} from "./consumers_file.ts";
import type { StorageContext } from "./context.ts";
import { UnreadableFileError } from "./unreadable_file.ts";

/**
 * Both files, as one; `undefined` if there is none.
 *
 * Throws `UnreadableFileError` if `consumers.json` is none of ours, or `DiskError`.
 */
export function recoverConsumers(
  { disk, log }: Pick<StorageContext, "disk" | "log">,
  directory: string,
  names: ReadonlySet<string>,
): FoundConsumers | undefined {
  if (![CONSUMERS_FILE, ...CONSUMERS_RECENT_FILES].some((name) => names.has(name))) return undefined;
  let found: FoundConsumers;
  try {
    found = readConsumers(disk, directory);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UnreadableFileError(CONSUMERS_FILE, CONSUMERS_ADVICE, error);
  }
  for (const { name, why } of found.torn) {
    log.warn(
      "a file of what consumers acknowledged last is not whole, as after a crash; what it alone held is handed out again",
      {
        path: `${directory}/${name}`,
        error: why,
      },
    );
  }
  return found;
}
