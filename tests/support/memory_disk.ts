/**
 * A disk in memory that forgets what was not synced when it crashes.
 *
 * Every file has two images: what reads and writes see (the kernel's cache), and what the device holds. `sync` copies
 * the one to the other as of the moment it is called. Directories have the same two images of their entries. After a
 * crash of the machine only the device's image is left, or, with dice, any mixture that the contract of `Disk` allows:
 * each unsynced block kept, dropped or zeroed, the size on its own, each unsynced entry of a directory on its own.
 *
 * A crashed or killed disk is dead for good: everything that the process of that time still tries fails with
 * `CrashError` and leaves no trace. `crash` and `kill` return the disk that the next process finds.
 *
 * @module
 */
import {
  type Disk,
  type DiskEntry,
  DiskError,
  type DiskErrorKind,
  type DiskFile,
  type DiskSpace,
} from "../../lib/storage/disk.ts";
import type { SeededRandom } from "./seeded_random.ts";

/** What a process that no longer exists gets from its disk. */
export class CrashError extends DiskError {
  constructor(operation: string, path: string) {
    super("failed", operation, path, new Error("the process or the machine has crashed"));
  }
}

/** What can be counted and made to fail. Reading and closing are neither. */
export type Operation =
  | "open"
  | "write"
  | "truncate"
  | "sync"
  | "make directory"
  | "rename"
  | "remove"
  | "sync directory"
  | "lock";

/** Faults that stay until they are taken back. */
export interface Faults {
  /** Room for file contents in all; a write gets what is left of it. */
  bytesMax: number;
  /** Files and directories that can exist. */
  inodesMax: number;
  /** Files that can be open at once. */
  openMax: number;
  /** All that changes anything fails as on a file system that is mounted for reading only. */
  readOnly: boolean;
  /** At most this much of a write is taken by one call. */
  writeBytesMax: number;
  /** Called before each operation; a kind that it returns is what the operation fails with. */
  before: (operation: Operation, path: string) => DiskErrorKind | undefined;
  /**
   * Called when a process makes a file longer, or syncs it once more, of which a failed sync has lost something under
   * this process, and which has not been written anew.
   */
  poisoned: (operation: Operation, path: string) => void;
}

/** What a crash of the machine leaves of unsynced blocks and entries, rolled for each. */
export interface CrashDice {
  readonly random: SeededRandom;
  /** Size of what is written to the device as a whole. */
  readonly blockBytes?: number;
}

const BLOCK_BYTES = 512;

const NOTHING = new Uint8Array();

class FileNode {
  bytes: Uint8Array<ArrayBuffer> = NOTHING;
  size = 0;
  /** What the device holds; changed by nobody. */
  durable: Uint8Array<ArrayBuffer> = NOTHING;
  /** So much of `bytes` is also the device's image, or on its way to it: it is not changed in place. */
  #shared = 0;
  /** Blocks that the kernel takes for written although they are not: a sync of them failed. */
  #lost: Set<number> | undefined;
  readonly syncs = new SyncOrder();

  /** A file as if it had always been there. */
  static of(content: Uint8Array): FileNode {
    const file = new FileNode();
    file.bytes = content.slice();
    file.size = file.#shared = content.length;
    file.durable = file.bytes;
    return file;
  }

  /** A sync failed: the kernel marks what was dirty as clean, and will never write it again. */
  loseDirty(): void {
    this.#lost ??= new Set();
    for (let block = 0; block * BLOCK_BYTES < this.size; block++) {
      const from = block * BLOCK_BYTES;
      const to = Math.min(from + BLOCK_BYTES, this.size);
      const same = to <= this.durable.length &&
        sameBytes(this.bytes.subarray(from, to), this.durable.subarray(from, to));
      if (!same) this.#lost.add(block);
    }
  }

  /** Something that was written is neither on the device nor will ever be. */
  get hasLost(): boolean {
    return this.#lost !== undefined && this.#lost.size > 0;
  }

  /** What a sync writes to the device. */
  synced(): Uint8Array<ArrayBuffer> {
    if (!this.#lost || !this.hasLost) {
      this.#shared = Math.max(this.#shared, this.size);
      return this.bytes.subarray(0, this.size);
    }
    const content = this.content();
    for (const block of this.#lost) {
      const from = block * BLOCK_BYTES;
      const to = Math.min(from + BLOCK_BYTES, content.length);
      for (let i = from; i < to; i++) content[i] = this.durable[i] ?? 0;
    }
    return content;
  }

  write(data: Uint8Array, offset: number): void {
    const end = offset + data.length;
    if (this.#lost && this.#lost.size > 0) {
      for (let block = Math.floor(offset / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
        this.#lost.delete(block);
      }
    }
    if (end > this.bytes.length) this.#move(Math.max(end, this.bytes.length * 2));
    else if (offset < this.#shared) this.#move(this.bytes.length);
    this.bytes.set(data, offset);
    this.size = Math.max(this.size, end);
  }

  truncate(size: number): void {
    if (size > this.size) this.write(new Uint8Array(size - this.size), this.size);
    else if (size < this.size) {
      for (const block of this.#lost ?? []) if (block * BLOCK_BYTES >= size) this.#lost!.delete(block);
      if (size < this.#shared) this.#move(this.bytes.length);
      this.bytes.fill(0, size, this.size);
    }
    this.size = size;
  }

  rot(bit: number, size: number): void {
    const at = (bit >> 3) % size;
    for (const image of new Set([this.bytes.buffer, this.durable.buffer])) {
      const bytes = new Uint8Array(image);
      if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << (bit & 7));
    }
  }

  content(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.size);
  }

  #move(length: number): void {
    const bytes = new Uint8Array(length);
    bytes.set(this.bytes.subarray(0, this.size));
    this.bytes = bytes;
    this.#shared = 0;
  }
}

/** Syncs of one thing that end in another order than they began: a later one is never taken back. */
class SyncOrder {
  #begun = 0;
  #ended = 0;

  /** Begins a sync; returns what ends it: `false` if one that began later has ended already. */
  begin(): () => boolean {
    const order = ++this.#begun;
    return () => {
      if (order < this.#ended) return false;
      this.#ended = order;
      return true;
    };
  }
}

/** Directories are told apart by when they last changed, among all changes of all disks. */
let directoryChanges = 0;

class DirectoryNode {
  readonly #syncs = new SyncOrder();
  readonly #entries = new Map<string, Node>();
  /** What the device holds. */
  readonly #durable = new Map<string, Node>();
  /** Names that the device may know otherwise, and which change it was that made them so. */
  readonly #changed = new Map<string, number>();
  #changes = 0;
  /** Another one after each change of its entries. */
  stamp = ++directoryChanges;

  get entries(): ReadonlyMap<string, Node> {
    return this.#entries;
  }

  get durable(): ReadonlyMap<string, Node> {
    return this.#durable;
  }

  set(name: string, node: Node): void {
    this.#entries.set(name, node);
    this.#changed.set(name, ++this.#changes);
    this.stamp = ++directoryChanges;
  }

  delete(name: string): void {
    this.#entries.delete(name);
    this.#changed.set(name, ++this.#changes);
    this.stamp = ++directoryChanges;
  }

  /** An entry as if it had always been there. */
  plant(name: string, node: Node): void {
    this.#entries.set(name, node);
    this.#durable.set(name, node);
    this.stamp = ++directoryChanges;
  }

  /** Begins a sync of what it holds now; returns what ends it. */
  sync(): () => void {
    const changes = Array.from(
      this.#changed,
      ([name, change]) => [name, change, this.#entries.get(name)] as const,
    );
    const ends = this.#syncs.begin();
    return () => {
      if (!ends()) return;
      for (const [name, change, node] of changes) {
        if (node) this.#durable.set(name, node);
        else this.#durable.delete(name);
        if (this.#changed.get(name) === change) this.#changed.delete(name);
      }
    };
  }
}

type Node = FileNode | DirectoryNode;

/** A simulated disk, and the one process that uses it. */
export class MemoryDisk implements Disk {
  readonly #root: DirectoryNode;
  #locked = new Set<string>();
  #dead = false;
  /** Files that lost something to a failed sync under this process. */
  readonly #poisoned = new Set<FileNode>();
  #dieAt = Infinity;
  #tornWrite: SeededRandom | undefined;
  /** In force now; a test changes them as it likes. */
  readonly faults: Faults = {
    bytesMax: Infinity,
    inodesMax: Infinity,
    openMax: Infinity,
    readOnly: false,
    writeBytesMax: Infinity,
    before: () => undefined,
    poisoned: () => {},
  };
  /** How often each operation was called. */
  readonly counts = new Map<Operation, number>();
  /** Operations in all. */
  operations = 0;
  /** Handles that are open. */
  openFiles = 0;
  /** Most handles that were ever open at once. */
  openFilesPeak = 0;
  /** Resolves before a sync reaches the device: what a test holds back to see who waits. */
  syncGate: Promise<void> = Promise.resolve();

  constructor(root = new DirectoryNode()) {
    this.#root = root;
  }

  /** Whether it has crashed. */
  get dead(): boolean {
    return this.#dead;
  }

  // --- crashes ---

  /** The machine lost its power: the disk as the next start finds it. Without dice exactly what was synced is left. */
  crash(dice?: CrashDice): MemoryDisk {
    this.#dead = true;
    return new MemoryDisk(survivors(this.#root, dice));
  }

  /** The process died, the machine did not: all that was written is there, what was unsynced still is. */
  kill(): MemoryDisk {
    this.#dead = true;
    return new MemoryDisk(this.#root);
  }

  /**
   * Dies at the `n`-th operation from now (1 is the next one): it fails, and so does everything after it. Call `crash` or
   * `kill` then. With `torn`, a write that is interrupted leaves a part of itself.
   */
  dieAt(n: number, torn?: SeededRandom): void {
    this.#dieAt = this.operations + n;
    this.#tornWrite = torn;
  }

  /** Takes `dieAt` back. */
  dieNever(): void {
    this.#dieAt = Infinity;
  }

  /** Contents of all files, in bytes. */
  get bytesUsed(): number {
    return this.#used().bytes;
  }

  /** Files and directories. */
  get inodesUsed(): number {
    return this.#used().inodes;
  }

  /** A copy that shares nothing with this one, as if all had been synced. */
  clone(): MemoryDisk {
    const copy = (node: Node): Node => {
      if (node instanceof FileNode) return FileNode.of(node.bytes.subarray(0, node.size));
      const directory = new DirectoryNode();
      for (const [name, child] of node.entries) directory.plant(name, copy(child));
      return directory;
    };
    return new MemoryDisk(copy(this.#root) as DirectoryNode);
  }

  // --- what a test looks at and lays down, past the contract ---

  /** The content of a file. Throws `not_found`. */
  peek(path: string): Uint8Array<ArrayBuffer> {
    return this.#file("peek", path).content();
  }

  /** Replaces or makes a file, directories too, as if it had always been there. */
  plant(path: string, content: Uint8Array): void {
    const names = path.split("/");
    let directory = this.#root;
    for (const name of names.slice(0, -1)) {
      const child = directory.entries.get(name) ?? new DirectoryNode();
      directory.plant(name, child);
      directory = child as DirectoryNode;
    }
    const name = names.at(-1)!;
    const existing = directory.entries.get(name);
    if (existing instanceof FileNode) {
      // In place: what is open sees it, as it would see rot.
      existing.truncate(0);
      existing.write(content, 0);
      existing.durable = content.slice();
      return;
    }
    directory.plant(name, FileNode.of(content));
  }

  /** Files whose path begins so. */
  filesOf(prefix: string): string[] {
    const slash = prefix.lastIndexOf("/");
    const [directory, begin] = [prefix.slice(0, Math.max(0, slash)), prefix.slice(slash + 1)];
    const node = this.#find(directory);
    if (!(node instanceof DirectoryNode)) return [];
    return [...node.entries]
      .filter(([name, child]) => name.startsWith(begin) && child instanceof FileNode && child.size > 0)
      .map(([name]) => slash < 0 ? name : `${directory}/${name}`);
  }

  /** A bit of the first `size` bytes of a file flips, on the device and in memory; also under whoever has it open. */
  rot(path: string, bit: number, size: number): void {
    this.#file("rot", path).rot(bit, size);
  }

  /** How much of a file the device holds; `undefined` if it holds none of that name. */
  durableSizeOf(path: string): number | undefined {
    const node = this.#find(path);
    return node instanceof FileNode ? node.durable.length : undefined;
  }

  /** All files by path with their contents. */
  snapshot(): Map<string, string> {
    const found = new Map<string, string>();
    const walk = (directory: DirectoryNode, prefix: string): void => {
      for (const [name, node] of directory.entries) {
        if (node instanceof DirectoryNode) walk(node, `${prefix}${name}/`);
        else found.set(prefix + name, new TextDecoder("latin1").decode(node.content()));
      }
    };
    walk(this.#root, "");
    return new Map([...found].sort());
  }

  // --- the contract ---

  open(path: string, mode: { write?: boolean; create?: boolean; createNew?: boolean }): DiskFile {
    this.#operation("open", path);
    const [directory, name] = this.#parent("open", path);
    let node = directory.entries.get(name);
    const create = mode.create || mode.createNew;
    if (node && mode.createNew) throw new DiskError("exists", "open", path);
    if (!node && !create) throw new DiskError("not_found", "open", path);
    if (node instanceof DirectoryNode) throw new DiskError("failed", "open", path);
    if (this.openFiles >= this.faults.openMax) throw new DiskError("too_many_open", "open", path);
    if ((mode.write || create) && this.faults.readOnly) throw new DiskError("read_only", "open", path);
    if (!node) {
      this.#roomForInode("open", path);
      node = new FileNode();
      directory.set(name, node);
    }
    this.openFiles++;
    this.openFilesPeak = Math.max(this.openFilesPeak, this.openFiles);
    return this.#handle(node, path, mode.write ?? false);
  }

  sizeOf(path: string): number | undefined {
    this.#alive("stat", path);
    const node = this.#find(path);
    return node instanceof FileNode ? node.size : undefined;
  }

  list(path: string): DiskEntry[] {
    this.#alive("list", path);
    const node = this.#find(path);
    if (!(node instanceof DirectoryNode)) throw new DiskError(node ? "failed" : "not_found", "list", path);
    return Array.from(
      node.entries,
      ([name, child]) => ({ name, isDirectory: child instanceof DirectoryNode }),
    );
  }

  stampOf(path: string): string | undefined {
    this.#alive("stat", path);
    const node = this.#find(path);
    if (!(node instanceof DirectoryNode)) throw new DiskError(node ? "failed" : "not_found", "stat", path);
    return String(node.stamp);
  }

  makeDirectory(path: string): void {
    this.#operation("make directory", path);
    const [directory, name] = this.#parent("make directory", path);
    if (directory.entries.has(name)) throw new DiskError("exists", "make directory", path);
    this.#changeable("make directory", path);
    this.#roomForInode("make directory", path);
    directory.set(name, new DirectoryNode());
  }

  rename(from: string, to: string): void {
    this.#operation("rename", from);
    const file = this.#file("rename", from);
    const [source, sourceName] = this.#parent("rename", from);
    const [target, targetName] = this.#parent("rename", to);
    const replaced = target.entries.get(targetName);
    if (replaced instanceof DirectoryNode) throw new DiskError("failed", "rename", from);
    this.#changeable("rename", from);
    if (replaced === file) return;
    source.delete(sourceName);
    target.set(targetName, file);
  }

  remove(path: string): void {
    this.#operation("remove", path);
    this.#file("remove", path);
    const [directory, name] = this.#parent("remove", path);
    this.#changeable("remove", path);
    directory.delete(name);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#operation("sync directory", path);
    const node = this.#find(path);
    if (!(node instanceof DirectoryNode)) {
      throw new DiskError(node ? "failed" : "not_found", "sync directory", path);
    }
    const end = node.sync();
    await this.syncGate;
    this.#alive("sync directory", path);
    end();
  }

  lock(path: string): { release(): void } | undefined {
    this.#operation("lock", path);
    this.#changeable("lock", path);
    const [directory, name] = this.#parent("lock", path);
    if (this.#locked.has(path)) return undefined;
    if (!directory.entries.has(name)) directory.set(name, FileNode.of(NOTHING));
    this.#locked.add(path);
    return { release: () => void this.#locked.delete(path) };
  }

  space(): DiskSpace {
    this.#alive("statfs", "");
    // Counting is left out where nothing depends on it: a disk without bounds is a large one with nothing on it.
    if (!Number.isFinite(this.faults.bytesMax)) return { freeBytes: 2 ** 40, totalBytes: 2 ** 40 };
    const totalBytes = this.faults.bytesMax;
    return { freeBytes: Math.max(0, totalBytes - this.#used().bytes), totalBytes };
  }

  // --- below ---

  #handle(node: FileNode, path: string, writable: boolean): DiskFile {
    let open = true;
    const use = (operation: string): void => {
      this.#alive(operation, path);
      if (!open) throw new DiskError("failed", operation, path, new Error("the file is closed"));
    };
    const change = (operation: Operation): void => {
      use(operation);
      this.#operation(operation, path);
      if (!writable) throw new DiskError("failed", operation, path, new Error("opened for reading"));
      this.#changeable(operation, path);
    };
    return {
      size: () => {
        use("stat");
        return node.size;
      },
      read: (into, offset) => {
        use("read");
        const part = node.bytes.subarray(
          Math.min(offset, node.size),
          Math.min(offset + into.length, node.size),
        );
        into.set(part);
        return part.length;
      },
      write: (bytes, offset) => {
        use("write");
        try {
          change("write");
        } catch (error) {
          if (error instanceof CrashError && this.#tornWrite) {
            node.write(bytes.subarray(0, this.#tornWrite.below(bytes.length + 1)), offset);
          }
          throw error;
        }
        if (offset + bytes.length > node.size) this.#checkPoisoned("write", node, path);
        const growth = Math.max(0, offset + bytes.length - node.size);
        const free = Number.isFinite(this.faults.bytesMax)
          ? this.faults.bytesMax - this.#used().bytes
          : Infinity;
        const fitting = bytes.length - Math.max(0, growth - Math.max(0, free));
        const taken = Math.min(Math.max(0, fitting), this.faults.writeBytesMax);
        if (taken === 0 && bytes.length > 0) throw new DiskError("full", "write", path);
        node.write(bytes.subarray(0, taken), offset);
        return taken;
      },
      truncate: (size) => {
        change("truncate");
        node.truncate(size);
      },
      sync: async () => {
        use("sync");
        try {
          this.#operation("sync", path);
        } catch (error) {
          if (!(error instanceof CrashError)) {
            node.loseDirty();
            this.#poisoned.add(node);
          }
          throw error;
        }
        this.#checkPoisoned("sync", node, path);
        const content = node.synced();
        const ends = node.syncs.begin();
        await this.syncGate;
        use("sync");
        if (ends()) node.durable = content;
      },
      close: () => {
        if (!open) throw new DiskError("failed", "close", path, new Error("the file is closed"));
        open = false;
        this.openFiles--;
      },
    };
  }

  #checkPoisoned(operation: Operation, node: FileNode, path: string): void {
    if (this.#poisoned.has(node) && node.hasLost) this.faults.poisoned(operation, path);
  }

  #alive(operation: string, path: string): void {
    if (this.#dead) throw new CrashError(operation, path);
  }

  #operation(operation: Operation, path: string): void {
    this.#alive(operation, path);
    this.operations++;
    this.counts.set(operation, 1 + (this.counts.get(operation) ?? 0));
    if (this.operations >= this.#dieAt) {
      this.#dead = true;
      throw new CrashError(operation, path);
    }
    const kind = this.faults.before(operation, path);
    if (kind) throw new DiskError(kind, operation, path);
  }

  #changeable(operation: string, path: string): void {
    if (this.faults.readOnly) throw new DiskError("read_only", operation, path);
  }

  #roomForInode(operation: string, path: string): void {
    const { inodesMax } = this.faults;
    if (Number.isFinite(inodesMax) && this.#used().inodes >= inodesMax) {
      throw new DiskError("full", operation, path);
    }
  }

  /** Contents of all files that have a name, and how many files and directories there are. */
  #used(): { bytes: number; inodes: number } {
    const used = { bytes: 0, inodes: 0 };
    const walk = (node: Node): void => {
      used.inodes++;
      if (node instanceof FileNode) used.bytes += node.size;
      else node.entries.forEach(walk);
    };
    walk(this.#root);
    return used;
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (let at = 0; path !== "" && at <= path.length;) {
      const slash = path.indexOf("/", at);
      const end = slash < 0 ? path.length : slash;
      node = node instanceof DirectoryNode ? node.entries.get(path.slice(at, end)) : undefined;
      at = end + 1;
    }
    return node;
  }

  #file(operation: string, path: string): FileNode {
    const node = this.#find(path);
    if (!node) throw new DiskError("not_found", operation, path);
    if (!(node instanceof FileNode)) throw new DiskError("failed", operation, path);
    return node;
  }

  #parent(operation: string, path: string): [DirectoryNode, string] {
    const slash = path.lastIndexOf("/");
    const node = this.#find(path.slice(0, Math.max(0, slash)));
    if (!(node instanceof DirectoryNode)) throw new DiskError("not_found", operation, path);
    return [node, path.slice(slash + 1)];
  }
}

/** What a crash leaves of a directory and all below it. */
function survivors(directory: DirectoryNode, dice: CrashDice | undefined): DirectoryNode {
  // A file with two names must stay one file.
  const known = new Map<Node, Node>();
  const survive = (node: Node): Node => {
    let left = known.get(node);
    if (!left) {
      left = node instanceof FileNode ? FileNode.of(contentAfterCrash(node, dice)) : survivors(node, dice);
      known.set(node, left);
    }
    return left;
  };
  const left = new DirectoryNode();
  for (const name of new Set([...directory.durable.keys(), ...directory.entries.keys()])) {
    const synced = directory.durable.get(name);
    const later = directory.entries.get(name);
    const node = dice && dice.random.number() < 0.5 ? later : synced;
    if (node) left.plant(name, survive(node));
  }
  return left;
}

function contentAfterCrash(file: FileNode, dice: CrashDice | undefined): Uint8Array {
  if (!dice) return file.durable;
  const { random, blockBytes = BLOCK_BYTES } = dice;
  const [smaller, larger] = [file.durable.length, file.size].sort((a, b) => a - b) as [number, number];
  const size = random.pick([file.durable.length, file.size, smaller + random.below(larger - smaller + 1)]);
  const content = new Uint8Array(size);
  for (let at = 0; at < size; at += blockBytes) {
    const end = Math.min(at + blockBytes, size);
    const old = file.durable.subarray(at, end);
    const later = file.bytes.subarray(at, Math.min(end, file.size));
    if (sameBytes(old, later)) content.set(old, at);
    else {
      // A block of which a part was synced is written as a whole: what it held before cannot turn into zeros.
      const choices = old.length > 0 ? [old, later] : [later, old, new Uint8Array()];
      content.set(random.pick(choices), at);
    }
  }
  return content;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
