/**
 * File systems of a test's own, which can be filled, made read-only, and cut off from their power: tmpfs, and ext4 in a
 * file behind a loop device.
 *
 * They are mounted on directories below the system's temporary one, and gone at the end. Needs root on Linux; whether
 * that is enough is tried out by {@linkcode canMount} and {@linkcode canLoop}.
 *
 * @module
 */
import fs from "node:fs";
import { eventually } from "./eventually.ts";
import type { Need } from "./skip.ts";

const MIB = 1024 * 1024;
/** `FS_IOC_SHUTDOWN`, and its flag for "without writing anything more, not even the journal". */
const FS_IOC_SHUTDOWN = 0x8004587d;
const GOING_FLAGS_NOLOGFLUSH = 2;
const FILLER = "filler";
/** A process that was killed may hold its files for a moment longer. */
const UNMOUNT_TRIES = 50;
/** As long as this another test may hold a file system that was unmounted here. */
const RELEASE_MS = 120_000;

/** A mounted file system. */
export class FileSystem implements AsyncDisposable {
  #fillers = 0;

  /** @param image the file behind an ext4; a tmpfs has none */
  private constructor(readonly path: string, private readonly image: string | undefined) {}

  /** A file system in memory, with so many bytes and inodes. */
  static async tmpfs(bytes: number, inodes?: number): Promise<FileSystem> {
    const path = await Deno.makeTempDir({ prefix: "chukcha-tmpfs-" });
    const options = `size=${bytes}${inodes === undefined ? "" : `,nr_inodes=${inodes}`}`;
    try {
      await run("mount", "-t", "tmpfs", "-o", options, "chukcha-test", path);
    } catch (error) {
      await Deno.remove(path);
      throw error;
    }
    return new FileSystem(path, undefined);
  }

  /** An ext4 in a file of so many bytes. */
  static async ext4(bytes: number): Promise<FileSystem> {
    const path = await Deno.makeTempDir({ prefix: "chukcha-ext4-" });
    const image = await Deno.makeTempFile({ prefix: "chukcha-ext4-", suffix: ".img" });
    try {
      await Deno.truncate(image, bytes);
      await run("mkfs.ext4", "-q", "-F", "-m", "0", image);
      await run("mount", "-o", "loop", image, path);
    } catch (error) {
      await Promise.all([Deno.remove(path), Deno.remove(image)]);
      throw error;
    }
    return new FileSystem(path, image);
  }

  /** Bytes that can still be written. */
  get freeBytes(): number {
    const { bavail, bsize } = fs.statfsSync(this.path);
    return bavail * bsize;
  }

  /** Somebody else takes all the room there is, but `but` bytes; returns how much that was. */
  fill(but = 0): number {
    const before = this.freeBytes;
    using file = Deno.openSync(`${this.path}/${FILLER}${this.#fillers++}`, { write: true, createNew: true });
    const zeros = new Uint8Array(64 * 1024);
    for (let part = zeros.length; part > 0;) {
      const left = Math.min(part, this.freeBytes - but);
      try {
        if (left <= 0 || file.writeSync(zeros.subarray(0, left)) === 0) part = 0;
      } catch (error) {
        if (!isFull(error)) throw error;
        part = part > 4096 ? 4096 : 0;
      }
    }
    file.syncSync();
    return before - this.freeBytes;
  }

  /** Somebody else makes empty files until there are no inodes left; returns how many. */
  fillInodes(): number {
    for (let made = 0;; made++) {
      try {
        Deno.openSync(`${this.path}/${FILLER}${this.#fillers}`, { write: true, createNew: true }).close();
        this.#fillers++;
      } catch (error) {
        if (isFull(error)) return made;
        throw error;
      }
    }
  }

  /** What {@linkcode fill} and {@linkcode fillInodes} took is given back. */
  release(): void {
    for (; this.#fillers > 0; this.#fillers--) Deno.removeSync(`${this.path}/${FILLER}${this.#fillers - 1}`);
  }

  /** Mounted read-only; no file may be open for writing. */
  readOnly(): Promise<void> {
    return run("mount", "-o", "remount,ro", this.path);
  }

  /** Mounted for writing again. */
  writable(): Promise<void> {
    return run("mount", "-o", "remount,rw", this.path);
  }

  /** As the kernel does when it finds an ext4 to be broken: from now on it is read-only, whatever is open. */
  abort(): Promise<void> {
    return run("mount", "-o", "remount,abort", this.path);
  }

  /** The power fails: nothing more reaches the device, whatever was not synced is lost. Of an ext4 only. */
  cutPower(): void {
    shutDown(this.path);
  }

  /** The machine is started again. Nothing may have a file open. */
  async remount(): Promise<void> {
    if (this.image === undefined) throw new Error("a tmpfs is gone when it is not mounted");
    await this.#unmount();
    // A process with mounts of its own, as those in network namespaces have, keeps what was mounted when it began. As long
    // as the file system is alive there, mounting its image once more would make two of it.
    const { image } = this;
    const devices = async () => {
      const { stdout } = await new Deno.Command("losetup", { args: ["-j", image], stderr: "inherit" })
        .output();
      return new TextDecoder().decode(stdout);
    };
    await eventually("the device is let go", devices, (text) => text === "", RELEASE_MS);
    await run("mount", "-o", "loop", image, this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#unmount();
    await Deno.remove(this.path);
    if (this.image !== undefined) await Deno.remove(this.image);
  }

  async #unmount(): Promise<void> {
    for (let tries = 1;; tries++) {
      try {
        return await run("umount", this.path);
      } catch (error) {
        if (tries === UNMOUNT_TRIES) {
          // Whoever still has a file open keeps the file system, and nobody else sees it.
          await run("umount", "-l", this.path);
          throw error;
        }
      }
    }
  }
}

let mounts: Need | undefined;
let loops: Need | undefined;

/** Whether file systems can be mounted here: a container may deny that to its root. */
export function canMount(): Need {
  return mounts ??= tried("rights to mount file systems", (path) => {
    runSync("mount", "-t", "tmpfs", "-o", "size=1m", "chukcha-test", path);
    runSync("umount", path);
  });
}

/** Whether a file can be mounted as an ext4 here: that takes loop devices, and a kernel that knows ext4. */
export function canLoop(): Need {
  return loops ??= tried("loop devices and ext4", (path) => {
    const image = Deno.makeTempFileSync({ prefix: "chukcha-ext4-", suffix: ".img" });
    try {
      Deno.truncateSync(image, 4 * MIB);
      runSync("mkfs.ext4", "-q", "-F", image);
      runSync("mount", "-o", "loop", image, path);
      runSync("umount", path);
    } finally {
      Deno.removeSync(image);
    }
  });
}

function tried(what: string, attempt: (path: string) => void): Need {
  const path = Deno.makeTempDirSync({ prefix: "chukcha-mount-" });
  try {
    attempt(path);
    return { what, present: true, given: true };
  } catch (error) {
    return { what: `${what} (${(error as Error).message.trim()})`, present: false, given: true };
  } finally {
    Deno.removeSync(path);
  }
}

function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(String((error as { code?: unknown }).code));
}

async function run(program: string, ...args: string[]): Promise<void> {
  check(program, args, await new Deno.Command(program, { args, stdin: "null" }).output());
}

function runSync(program: string, ...args: string[]): void {
  check(program, args, new Deno.Command(program, { args, stdin: "null" }).outputSync());
}

function check(program: string, args: string[], { success, stderr }: Deno.CommandOutput): void {
  if (success) return;
  throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** There is no program for this ioctl that every machine has, and no call of Deno's. */
function shutDown(path: string): void {
  using libc = new Library();
  const flag = new Uint32Array([GOING_FLAGS_NOLOGFLUSH]);
  const fd = libc.call.open(new TextEncoder().encode(`${path}\0`), 0);
  if (fd < 0) throw new Error(`open ${path} failed`);
  const result = libc.call.ioctl(fd, BigInt(FS_IOC_SHUTDOWN), flag);
  libc.call.close(fd);
  if (result !== 0) throw new Error(`FS_IOC_SHUTDOWN of ${path} failed`);
}

class Library implements Disposable {
  readonly #library = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  readonly call = this.#library.symbols;

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
