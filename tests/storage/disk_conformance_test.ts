/**
 * The contract of `Disk`, sentence by sentence, against every implementation: the real one and the simulated one.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DenoDisk } from "../../lib/storage/deno_disk.ts";
import { type Disk, DiskError, type DiskErrorKind } from "../../lib/storage/disk.ts";
import { eventually } from "../support/eventually.ts";
import { MemoryDisk } from "../support/memory_disk.ts";

const IMPLEMENTATIONS: Readonly<Record<string, (use: (disk: Disk) => Promise<void>) => Promise<void>>> = {
  DenoDisk: async (use) => {
    const root = Deno.makeTempDirSync();
    try {
      await use(new DenoDisk(`${root}/data/below`, 0));
    } finally {
      Deno.removeSync(root, { recursive: true });
    }
  },
  MemoryDisk: (use) => use(new MemoryDisk()),
};

function conforms(name: string, test: (disk: Disk) => void | Promise<void>): void {
  for (const [implementation, run] of Object.entries(IMPLEMENTATIONS)) {
    Deno.test(`${implementation}: ${name}`, () => run(async (disk) => await test(disk)));
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function assertRefused(kind: DiskErrorKind, call: () => unknown): void {
  assertEquals(assertThrows(call, DiskError).kind, kind);
}

function put(disk: Disk, path: string, text: string): void {
  const file = disk.open(path, { write: true, create: true });
  file.truncate(0);
  file.write(bytes(text), 0);
  file.close();
}

function get(disk: Disk, path: string): string {
  const file = disk.open(path, {});
  const into = new Uint8Array(file.size());
  file.read(into, 0);
  file.close();
  return new TextDecoder().decode(into);
}

conforms("open finds what exists, makes what may be made, and says why not", (disk) => {
  assertRefused("not_found", () => disk.open("a", {}));
  assertRefused("not_found", () => disk.open("a", { write: true }));
  assertRefused("not_found", () => disk.open("no/a", { write: true, create: true }));
  disk.open("a", { write: true, createNew: true }).close();
  assertRefused("exists", () => disk.open("a", { write: true, createNew: true }));
  put(disk, "a", "kept");
  disk.open("a", { write: true, create: true }).close();
  assertEquals(get(disk, "a"), "kept");
});

conforms("read returns fewer bytes only at the end of the file", (disk) => {
  put(disk, "a", "0123456789");
  const file = disk.open("a", {});
  const into = new Uint8Array(4);
  assertEquals([file.read(into, 0), new TextDecoder().decode(into)], [4, "0123"]);
  assertEquals([file.read(into, 8), new TextDecoder().decode(into)], [2, "8923"]);
  assertEquals(file.read(into, 10), 0);
  assertEquals(file.read(into, 99), 0);
  assertEquals(file.read(new Uint8Array(), 3), 0);
  file.close();
});

conforms("write goes where it is told, also over and behind what is there", (disk) => {
  const file = disk.open("a", { write: true, create: true });
  assertEquals(file.write(bytes("abc"), 0), 3);
  assertEquals(file.write(bytes("X"), 1), 1);
  assertEquals(file.write(bytes("end"), 5), 3);
  assertEquals(file.write(new Uint8Array(), 0), 0);
  assertEquals(file.size(), 8);
  assertEquals(get(disk, "a"), "aXc\0\0end");
  file.close();
});

conforms("write and truncate are refused on a file opened for reading", (disk) => {
  put(disk, "a", "abc");
  const file = disk.open("a", {});
  assertThrows(() => file.write(bytes("x"), 0), DiskError);
  assertThrows(() => file.truncate(0), DiskError);
  file.close();
  assertEquals(get(disk, "a"), "abc");
});

conforms("truncate cuts, and extends with zeros what was cut before", (disk) => {
  const file = disk.open("a", { write: true, create: true });
  file.write(bytes("abcdef"), 0);
  file.truncate(2);
  assertEquals(file.size(), 2);
  file.truncate(4);
  assertEquals(get(disk, "a"), "ab\0\0");
  file.close();
});

conforms("two handles of one file see the same bytes", (disk) => {
  const one = disk.open("a", { write: true, create: true });
  const other = disk.open("a", {});
  one.write(bytes("abc"), 0);
  assertEquals(other.size(), 3);
  const into = new Uint8Array(3);
  assertEquals(other.read(into, 0), 3);
  assertEquals(into, bytes("abc"));
  one.close();
  other.close();
});

conforms("sync resolves; calls after close throw", async (disk) => {
  const file = disk.open("a", { write: true, create: true });
  file.write(bytes("abc"), 0);
  await file.sync();
  file.close();
  assertThrows(() => file.size(), DiskError);
  assertThrows(() => file.read(new Uint8Array(1), 0), DiskError);
  assertThrows(() => file.write(bytes("x"), 0), DiskError);
  assertThrows(() => file.truncate(0), DiskError);
  await assertRejects(() => file.sync(), DiskError);
  assertThrows(() => file.close(), DiskError);
});

conforms("sizeOf is undefined where there is no file", (disk) => {
  assertEquals(disk.sizeOf("a"), undefined);
  assertEquals(disk.sizeOf("no/a"), undefined);
  put(disk, "a", "abc");
  assertEquals(disk.sizeOf("a"), 3);
});

conforms(
  "stampOf is another one once a name came, went, or leads elsewhere, and else the same",
  async (disk) => {
    assertRefused("not_found", () => disk.stampOf("d"));
    disk.makeDirectory("d");
    put(disk, "d/kept", "a");
    for (let i = 0; i < 100; i++) put(disk, `d/old${i}`, "b");
    const changes: Readonly<Record<string, (i: number) => void>> = {
      "a file comes": (i) => put(disk, `d/new${i}`, "b"),
      "a file goes": (i) => disk.remove(`d/old${i}`),
      "a file is replaced": (i) => {
        put(disk, `d/temporary${i}`, "c");
        disk.rename(`d/temporary${i}`, "d/kept");
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      const before = disk.stampOf("d");
      put(disk, "d/kept", "another content");
      assertEquals(disk.stampOf("d"), before, "the content of a file");
      // Within one tick of the file system's clock, two changes look like one.
      let i = 0;
      await eventually(what, () => {
        change(i++);
        return disk.stampOf("d");
      }, (stamp) => stamp !== undefined && stamp !== before);
    }
  },
);

Deno.test("DenoDisk: stampOf says nothing of a directory that has just changed", async () => {
  const root = Deno.makeTempDirSync();
  try {
    assertEquals(new DenoDisk(root).stampOf(""), undefined);
    const stamp = () => new DenoDisk(root, 30).stampOf("");
    const settled = await eventually("the directory is left alone", stamp, (text) => text !== undefined);
    // Neither does a copy pass for it, whatever else it keeps.
    const { code } = await new Deno.Command("cp", { args: ["-a", root, `${root}.copy`] }).output();
    assertEquals([code, new DenoDisk(`${root}.copy`, 0).stampOf("") === settled], [0, false]);
  } finally {
    await Promise.all([root, `${root}.copy`].map((path) => Deno.remove(path, { recursive: true })));
  }
});

conforms("list names files and directories, of the root as of those below", (disk) => {
  assertEquals(disk.list(""), []);
  assertRefused("not_found", () => disk.list("d"));
  disk.makeDirectory("d");
  put(disk, "a", "");
  put(disk, "d/b", "");
  const sorted = (path: string) => disk.list(path).sort((x, y) => x.name < y.name ? -1 : 1);
  assertEquals(sorted(""), [{ name: "a", isDirectory: false }, { name: "d", isDirectory: true }]);
  assertEquals(sorted("d"), [{ name: "b", isDirectory: false }]);
});

conforms("makeDirectory makes one directory, whose parent exists", (disk) => {
  disk.makeDirectory("d");
  assertRefused("exists", () => disk.makeDirectory("d"));
  assertRefused("not_found", () => disk.makeDirectory("no/d"));
  put(disk, "a", "");
  assertRefused("exists", () => disk.makeDirectory("a"));
});

conforms("rename puts a file over whatever is there; whoever has that open keeps it", (disk) => {
  put(disk, "a", "new");
  put(disk, "b", "old");
  const old = disk.open("b", {});
  disk.rename("a", "b");
  assertEquals(disk.sizeOf("a"), undefined);
  assertEquals(get(disk, "b"), "new");
  const into = new Uint8Array(3);
  old.read(into, 0);
  assertEquals(into, bytes("old"));
  old.close();
  assertRefused("not_found", () => disk.rename("a", "b"));
  assertEquals(get(disk, "b"), "new");
});

conforms("remove takes a file away; whoever has it open keeps it", (disk) => {
  assertRefused("not_found", () => disk.remove("a"));
  put(disk, "a", "abc");
  const open = disk.open("a", { write: true });
  disk.remove("a");
  assertEquals(disk.sizeOf("a"), undefined);
  assertEquals(disk.list(""), []);
  assertEquals(open.write(bytes("d"), 3), 1);
  assertEquals(open.size(), 4);
  open.close();
  assertRefused("not_found", () => disk.remove("a"));
});

conforms("syncDirectory resolves for directories that exist", async (disk) => {
  disk.makeDirectory("d");
  await disk.syncDirectory("");
  await disk.syncDirectory("d");
  if (Deno.build.os !== "windows") {
    assertEquals((await assertRejects(() => disk.syncDirectory("no"), DiskError)).kind, "not_found");
  }
});

conforms("lock is held by one until it is released, and its file stays", (disk) => {
  const held = disk.lock("lock");
  assertEquals(disk.lock("lock"), undefined);
  held!.release();
  const again = disk.lock("lock");
  assertEquals(disk.list(""), [{ name: "lock", isDirectory: false }]);
  again!.release();
});

conforms("space says what is left of what there is", (disk) => {
  const { freeBytes, totalBytes } = disk.space();
  assertEquals([freeBytes > 0, freeBytes <= totalBytes], [true, true]);
});
