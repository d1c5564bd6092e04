/**
 * Bugs that are planted where a node meets its seams, to see that a simulation finds them. Never part of a node.
 *
 * Each is what a mistake in the program would amount to, put between the program and its disk, its peers or its store,
 * so that the program itself stays as it ships.
 *
 * @module
 */
import type { BuiltNode } from "../../lib/node.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { chunkName, parseChunkName } from "../../lib/protocol/names.ts";
import type { ChangesAnswer, ChangesRequest, Held, Peer, Piece } from "../../lib/replication/peer.ts";
import { JOURNAL_FILE } from "../../lib/storage/batch_journal.ts";
import type { Category } from "../../lib/storage/category.ts";
import type { CopyPiece } from "../../lib/storage/copies.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import type { Disk, DiskFile } from "../../lib/storage/disk.ts";
import type { Store } from "../../lib/storage/store.ts";
import { passingOn } from "../support/faulty_disk.ts";

/** One bug: what it puts between the node and its seams, or does to the node once it is built. */
export interface Plant {
  readonly name: string;
  disk?(disk: Disk, instance: string): Disk;
  peer?(peer: Peer): Peer;
  built?(built: BuiltNode): void;
}

/** The node as it ships. */
export const NO_PLANT: Plant = { name: "none" };

/** A disk whose files are changed on their way out. */
function wrapDisk(
  disk: Disk,
  file: (file: DiskFile, path: string) => Partial<DiskFile>,
  over: Partial<Disk> = {},
): Disk {
  return passingOn(disk, {
    open: (path, mode) => {
      const opened = disk.open(path, mode);
      return { ...opened, ...file(opened, path) };
    },
    ...over,
  });
}

/** A peer whose polls are changed on their way there or back. */
function wrapPolls(
  peer: Peer,
  request: (request: ChangesRequest) => ChangesRequest,
  answer: (answer: ChangesAnswer) => ChangesAnswer = (same) => same,
): Peer {
  return {
    ...peer,
    changes: async (asked, cancel) => answer(await peer.changes(request(asked), cancel)),
  };
}

const mapHeld = (map: (held: Held) => Held[]) => (request: ChangesRequest): ChangesRequest => ({
  ...request,
  held: request.held.flatMap(map),
});

/** A method of this one object does something else. */
function replace<T extends object, K extends keyof T>(
  object: T,
  name: K,
  make: (before: T[K]) => T[K],
): void {
  const before = object[name];
  Object.defineProperty(object, name, {
    value: make((typeof before === "function" ? before.bind(object) : before) as T[K]),
  });
}

/** All categories of a store, those that are still to be made too. */
function eachCategory(store: Store, visit: (category: Category) => void): void {
  const { categories } = store as unknown as { categories: Map<string, Category> };
  categories.forEach(visit);
  replace(categories, "set", (set) => (name, category) => {
    visit(category);
    return set(name, category);
  });
}

/** What a piece would have to say to be believed. */
function believable(store: Store, piece: CopyPiece & { readonly category: string }): typeof piece {
  const chunk = store.chunk(piece.category, piece.chunk);
  return { ...piece, rolling: crc32(piece.bytes, chunk?.rolling ?? 0) };
}

function flipped(piece: Piece): Piece {
  const bytes = piece.bytes.slice();
  // Not the last one, which ends the message.
  if (bytes.length > 1) bytes[0] = (bytes[0] ?? 0) === 120 ? 121 : 120;
  return { ...piece, bytes };
}

/** Every bug that simulations are tried with. */
export const PLANTS: readonly Plant[] = [
  {
    name: "answers a write before the sync has ended",
    disk: (disk) => wrapDisk(disk, () => ({ sync: () => Promise.resolve() })),
  },
  {
    name: "forgets to sync directories",
    disk: (disk) => wrapDisk(disk, () => ({}), { syncDirectory: () => Promise.resolve() }),
  },
  {
    name: "takes a failed sync for a good one",
    disk: (disk) => wrapDisk(disk, (file) => ({ sync: () => file.sync().catch(() => {}) })),
  },
  {
    name: "renames a file into place without syncing it",
    disk: (disk) =>
      wrapDisk(
        disk,
        (file, path) =>
          path.endsWith(".tmp") ? { sync: () => Promise.resolve() } : { sync: () => file.sync() },
      ),
  },
  {
    name: "leaves torn tails where they are",
    disk: (disk) => wrapDisk(disk, () => ({ truncate: () => {} })),
  },
  {
    name: "takes short writes for whole ones",
    disk: (disk) =>
      wrapDisk(disk, (file) => ({
        write: (bytes, offset) => {
          file.write(bytes, offset);
          return bytes.length;
        },
      })),
  },
  {
    name: "answers a write before any replica has it",
    built: ({ cluster }) => cluster && replace(cluster, "confirm", () => () => Promise.resolve()),
  },
  {
    name: "waits for one replica fewer than asked for",
    built: ({ cluster }) =>
      cluster &&
      replace(cluster, "confirm", (confirm) => (category, result, demand) =>
        demand.replicas > 1
          ? confirm(category, result, { ...demand, replicas: demand.replicas - 1 })
          : confirm(category, result, demand)),
  },
  {
    name: "counts what a replica has not synced as synced",
    peer: (peer) => wrapPolls(peer, mapHeld((held) => [{ ...held, synced: held.size }])),
  },
  {
    name: "reports what it was told of as held",
    peer: (peer) => {
      const listed = new Map<string, number>();
      return wrapPolls(
        peer,
        (request) => ({
          ...request,
          held: [
            ...request.held,
            ...Array.from(listed, ([key, size]) => {
              const [category, chunk] = key.split("/") as [string, string];
              const { instance, incarnation } = request.from;
              return { instance, incarnation, category, chunk, size, synced: size };
            }),
          ],
        }),
        (answer) => {
          for (const { category, chunk, size } of answer.copies) listed.set(`${category}/${chunk}`, size);
          return answer;
        },
      );
    },
  },
  {
    name: "reports its own copy for another node too",
    peer: (peer) => {
      const names = ["n0", "n1", "n2", "n3"];
      return wrapPolls(
        peer,
        mapHeld((held) =>
          names.filter((name) => name !== peer.instance).map((instance) => ({
            ...held,
            instance,
            incarnation: instance === held.instance ? held.incarnation : "unknown",
          }))
        ),
      );
    },
  },
  {
    name: "completes its chunks before it has asked its peers",
    built: ({ store }) => {
      for (const { category, chunk } of [...store.unsettled()]) store.settle(category, chunk.name, false);
    },
  },
  {
    name: "drops what a chunk holds beyond its complete size",
    built: ({ store }) => {
      let writing = false;
      replace(store, "append", (append) => (category, bytes, sync, source) => {
        writing = true;
        try {
          return append(category, bytes, sync, source);
        } finally {
          writing = false;
        }
      });
      eachCategory(store, ({ own }) => {
        replace(
          own,
          "append",
          (append) => (bytes, sync, source) =>
            writing || source
              ? append(bytes, sync, source)
              : Promise.resolve({ chunk: "", offset: 0, size: bytes.length }),
        );
      });
    },
  },
  {
    name: "forgets over a restart what is acknowledged",
    disk: (disk) => {
      const hidden = new Set(
        disk.list("").filter(({ isDirectory }) => isDirectory).map(({ name }) => `${name}/acknowledged.json`),
      );
      for (const path of hidden) if (disk.sizeOf(path) !== undefined) disk.remove(path);
      return disk;
    },
  },
  {
    name: "forgets over a restart which batches it has stored",
    disk: (disk) => {
      for (const { name, isDirectory } of disk.list("")) {
        const path = `${name}/${JOURNAL_FILE}`;
        if (isDirectory && disk.sizeOf(path) !== undefined) disk.remove(path);
      }
      return disk;
    },
  },
  {
    name: "does not pass on what it acknowledges",
    peer: (peer) => wrapPolls(peer, (same) => same, (answer) => ({ ...answer, acknowledged: [] })),
  },
  {
    name: "takes what a peer does not list for acknowledged",
    peer: (peer) =>
      wrapPolls(peer, (same) => same, (answer) => ({
        ...answer,
        acknowledged: [
          ...answer.acknowledged,
          ...answer.copies.flatMap(({ category, chunk }) => {
            const [instance, number] = chunk.split("-chunk") as [string, string];
            const last = Number(number) - 3;
            return last < 0 ? [] : [{ category, instance, ranges: [[0, last] as const], sizes: new Map() }];
          }),
        ],
      })),
  },
  {
    name: "uses chunk numbers again that its lost disk had used",
    built: ({ store }) => {
      replace(store, "join", (join) => () => join(0));
      replace(store, "noteUsed", () => () => {});
    },
  },
  {
    name: "appends whatever a peer sends, unchecked",
    peer: (peer) => {
      let count = 0;
      return {
        ...peer,
        fetch: async (...args) => {
          const answer = await peer.fetch(...args);
          return {
            ...answer,
            pieces: answer.pieces.map((piece) => ++count % 10 === 0 ? flipped(piece) : piece),
          };
        },
      };
    },
    built: ({ store }) =>
      replace(store, "appendCopy", (append) => (piece, source) => append(believable(store, piece), source)),
  },
  {
    name: "appends what comes wherever its copy ends",
    built: ({ store }) =>
      replace(store, "appendCopy", (append) => (piece, source) => {
        const size = store.chunk(piece.category, piece.chunk)?.size ?? 0;
        return append(believable(store, { ...piece, offset: size }), source);
      }),
  },
  {
    name: "takes an answer for read before it has read it",
    peer: (peer) => {
      let count = 0;
      return wrapPolls(
        peer,
        (same) => same,
        (answer) => ++count % 20 === 0 ? { ...answer, copies: [], pieces: [] } : answer,
      );
    },
  },
  {
    name: "never asks a peer again that has failed once",
    peer: (peer) => {
      let failed = false;
      return {
        ...peer,
        changes: async (...args) => {
          if (failed) return await new Promise<never>(() => {});
          try {
            return await peer.changes(...args);
          } catch (error) {
            failed = true;
            throw error;
          }
        },
      };
    },
  },
  {
    name: "tries a sync that has failed once more, and calls it good",
    disk: (disk) => wrapDisk(disk, (file) => ({ sync: () => file.sync().catch(() => file.sync()) })),
  },
  {
    name: "says that copies are synced without syncing them",
    disk: (disk, instance) =>
      wrapDisk(disk, (file, path) => {
        const isCopy = path.includes("-chunk") && !path.includes(`/${instance}-chunk`);
        return isCopy ? { sync: () => Promise.resolve() } : { sync: () => file.sync() };
      }),
  },
  {
    name: "never closes what it has opened for reading",
    disk: (disk) =>
      passingOn(disk, {
        open: (path, mode) => {
          const opened = disk.open(path, mode);
          return mode.write || mode.create || mode.createNew ? opened : { ...opened, close: () => {} };
        },
      }),
  },
  {
    name: "tells writers a place before the one where their messages are",
    built: ({ store }) =>
      replace(store, "append", (append) => async (category, bytes, sync, source) => {
        const result = await append(category, bytes, sync, source);
        return { ...result, offset: Math.max(0, result.offset - result.size) };
      }),
  },
  {
    name: "has a consumer that acknowledged a chunk acknowledge the one before as well",
    built: ({ store }) =>
      eachCategory(store, ({ consumers }) => {
        replace(consumers, "acknowledge", (acknowledge) => async (ack) => {
          await acknowledge(ack);
          const { instance, number } = parseChunkName(ack.chunk)!;
          if (number === 0) return;
          const before = chunkName(instance, number - 1);
          await acknowledge({ ...ack, chunk: before, from: 0, to: Number.MAX_SAFE_INTEGER });
        });
      }),
  },
  {
    name: "does not listen to what consumers acknowledged elsewhere",
    peer: (peer) => wrapPolls(peer, (same) => same, (answer) => ({ ...answer, consumers: [] })),
  },
  {
    name: "takes a directory for unchanged although files came into it",
    disk: (disk) => passingOn(disk, { stampOf: () => "the same" }),
  },
  {
    name: "serves damaged bytes",
    built: ({ store }) => {
      const { disk } = (store as unknown as { context: { disk: Disk } }).context;
      replace(store, "read", (read) => async (category, name, offset, sizeMax) => {
        try {
          return await read(category, name, offset, sizeMax);
        } catch (error) {
          const chunk = store.chunk(category, name);
          if (!(error instanceof ChukchaError) || error.code !== "damaged" || !chunk) throw error;
          const file = disk.open(chunk.dataPath, {});
          const body = new Uint8Array(chunk.size - offset);
          file.read(body, offset);
          file.close();
          return { offset, size: body.length, body };
        }
      });
    },
  },
];
