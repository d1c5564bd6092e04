/**
 * What a directory holds, to the byte: to show that something left it as it was.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** SHA-256 of every file below `root`, by path. Directories count with their names. */
export function hashDirectory(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (relative: string): void => {
    const entries = Array.from(Deno.readDirSync(`${root}/${relative}`));
    for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
      const path = relative === "" ? name : `${relative}/${name}`;
      if (isDirectory) {
        found[`${path}/`] = "";
        visit(path);
      } else {
        found[path] = createHash("sha256").update(Deno.readFileSync(`${root}/${path}`)).digest("hex");
      }
    }
  };
  visit("");
  return found;
}
