/**
 * `node.json`: whose data directory this is.
 *
 * ```json
 * {"format":1,"instance":"node_1","incarnation":"5f0c…"}
 * ```
 *
 * Written once, when the directory is first used. A directory of another instance, or of a format that this program
 * does not know, is refused: chunk names carry the instance, and mixing two nodes' chunks cannot be undone. The
 * incarnation is new with each new directory: it tells two nodes of one name apart.
 *
 * @module
 */
import { quote } from "../protocol/errors.ts";
import { isInstance } from "../protocol/names.ts";
import type { Disk } from "./disk.ts";
import { publishFile, readFile } from "./publish_file.ts";
import type { Random } from "./random.ts";

/** Name of the file. */
export const NODE_FILE = "node.json";
/** Version of the files' layout that this program reads and writes. */
export const FORMAT_VERSION = 1;

/** Whose directory it is. */
export interface NodeIdentity {
  readonly instance: string;
  readonly incarnation: string;
}

/** A data directory that this node must not use; the message says why and what to do. */
export class WrongDirectoryError extends Error {
  override readonly name = "WrongDirectoryError";
}

/** Reads the identity, or makes one in an empty directory. Rejects with `WrongDirectoryError` or `DiskError`. */
export async function identify(disk: Disk, random: Random, instance: string): Promise<NodeIdentity> {
  const bytes = readFile(disk, NODE_FILE);
  if (bytes) return parse(bytes, instance);
  const identity = { instance, incarnation: random.id() };
  const json = JSON.stringify({ format: FORMAT_VERSION, ...identity });
  await publishFile(disk, "", NODE_FILE, new TextEncoder().encode(json + "\n"));
  return identity;
}

function parse(bytes: Uint8Array, instance: string): NodeIdentity {
  let found: { format?: unknown; instance?: unknown; incarnation?: unknown };
  try {
    found = JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch (cause) {
    throw new WrongDirectoryError(
      `${NODE_FILE} in the data directory is not JSON; restore it, or move the directory away to start anew`,
      { cause },
    );
  }
  if (found.format !== FORMAT_VERSION) {
    throw new WrongDirectoryError(
      `the data directory has format ${
        JSON.stringify(found.format)
      }, this program knows ${FORMAT_VERSION}; ` +
        `use the program that wrote it`,
    );
  }
  const { instance: owner, incarnation } = found;
  if (typeof owner !== "string" || !isInstance(owner) || typeof incarnation !== "string") {
    throw new WrongDirectoryError(`${NODE_FILE} in the data directory lacks a valid instance or incarnation`);
  }
  if (owner !== instance) {
    throw new WrongDirectoryError(
      `the data directory belongs to instance ${quote(owner)}, not ${quote(instance)}; ` +
        `start with --instance ${owner}, or with another --data-dir`,
    );
  }
  return { instance, incarnation };
}
