/**
 * The lock of a data directory on a real disk, while the process has children.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { DenoDisk } from "../../lib/storage/deno_disk.ts";
import { os, testWith } from "../support/skip.ts";

/** Children that another thread starts meanwhile. */
const CHILDREN = 500;

testWith("DenoDisk.lock: what is released is free at once, also while another thread starts children", [
  os("linux", "darwin"),
], async () => {
  const root = await Deno.makeTempDir();
  const disk = new DenoDisk(root);
  // Between fork and exec, a child holds every descriptor of its parent.
  const source =
    `for (let i = 0; i < ${CHILDREN}; i++) new Deno.Command("true").outputSync(); postMessage("done");`;
  const url = URL.createObjectURL(new Blob([source], { type: "application/javascript" }));
  const worker = new Worker(url, { type: "module" });
  let done = false;
  worker.onmessage = () => done = true;
  let refused = 0;
  while (!done) {
    for (let i = 0; i < 100; i++) {
      const lock = disk.lock("lock");
      if (lock) lock.release();
      else refused++;
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  worker.terminate();
  URL.revokeObjectURL(url);
  await Deno.remove(root, { recursive: true });
  assertEquals(refused, 0);
});
