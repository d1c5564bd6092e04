/**
 * `node.json`: whose data directory this is, and from which chunk number on this node may write.
 *
 * ```json
 * {"format":1,"instance":"node_1","incarnation":"5f0c…","joined":false,"#crc32":"8b7d3c1a"}
 * {"format":1,"instance":"node_1","incarnation":"5f0c…","first":1042,"#crc32":"04c11db7"}
 * ```
 *
 * Written when the directory is first used. A directory of another instance, or of a format that this program does not
 * know, is refused: chunk names carry the instance, and mixing two nodes' chunks cannot be undone. The incarnation is
 * new with each new directory: it tells two nodes of one name apart.
 *
 * A new directory in a cluster has not joined: another one of that name may have been lost, and chunk numbers are used
 * once. Joining replaces the file as a whole, before the first write; a crash leaves it joined or not. One without
 * either field was written by a node that was alone, and has joined.
 *
 * @module
 */
import { quote } from "../protocol/errors.ts";
import { isInstance } from "../protocol/names.ts";
import { decodeChecked, encodeChecked } from "./checked_json.ts";
import type { Disk } from "./disk.ts";
import { publishFile, readFile } from "./publish_file.ts";
import type { Random } from "./random.ts";

/** Name of the file. */
export const NODE_FILE = "node.json";
/** Name of the file that whoever uses the directory holds a lock on. */
export const LOCK_FILE = "lock";
/** Version of the files' layout that this program reads and writes. */
export const FORMAT_VERSION = 1;

/** Whose directory it is. */
export interface NodeIdentity {
  readonly instance: string;
  readonly incarnation: string;
}

/** What the file says. */
export interface NodeRecord extends NodeIdentity {
  /** Chunks of this node's own begin with this number at least; `undefined` as long as it has not joined. */
  readonly first: number | undefined;
}

/** A data directory that this node must not use; the message says why and what to do. */
export class WrongDirectoryError extends Error {
  override readonly name = "WrongDirectoryError";
}

/**
 * Reads the record, or makes one in an empty directory; `mustJoin`: where nothing says that it has joined, it has not.
 * Rejects with `WrongDirectoryError` or `DiskError`.
 */
export async function identify(
  disk: Disk,
  random: Random,
  instance: string,
  mustJoin: boolean,
): Promise<NodeRecord> {
  const bytes = readFile(disk, NODE_FILE);
  const known = bytes && parse(bytes, instance);
  if (known && (known.first !== undefined || mustJoin)) return known;
  const incarnation = known?.incarnation ?? random.id();
  const record = { instance, incarnation, first: mustJoin ? undefined : 0 };
  await writeNodeFile(disk, record);
  return record;
}

/** Puts the record on the device. Rejects with `DiskError`; then the old one is in place, or this one not yet durable. */
export async function writeNodeFile(disk: Disk, { instance, incarnation, first }: NodeRecord): Promise<void> {
  const record = {
    format: FORMAT_VERSION,
    instance,
    incarnation,
    ...(first === undefined ? { joined: false } : first > 0 ? { first } : {}),
  };
  await publishFile(disk, "", NODE_FILE, encodeChecked(record));
}

function parse(bytes: Uint8Array, instance: string): NodeRecord {
  let found: Record<string, unknown>;
  try {
    found = decodeChecked(bytes);
  } catch (cause) {
    throw new WrongDirectoryError(
      `${NODE_FILE} in the data directory cannot be read (${
        (cause as Error).message
      }); restore it, or move the ` +
        "directory away to start anew",
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
  const { instance: owner, incarnation, joined = true, first = 0 } = found;
  if (typeof owner !== "string" || !isInstance(owner) || typeof incarnation !== "string") {
    throw new WrongDirectoryError(`${NODE_FILE} in the data directory lacks a valid instance or incarnation`);
  }
  if (typeof joined !== "boolean" || typeof first !== "number" || !Number.isSafeInteger(first) || first < 0) {
    throw new WrongDirectoryError(`${NODE_FILE} in the data directory has no valid "joined" or "first"`);
  }
  if (owner !== instance) {
    throw new WrongDirectoryError(
      `the data directory belongs to instance ${quote(owner)}, not ${quote(instance)}; ` +
        `start with --instance ${owner}, or with another --data-dir`,
    );
  }
  return { instance, incarnation, first: joined ? first : undefined };
}
