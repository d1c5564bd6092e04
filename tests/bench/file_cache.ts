/**
 * Has the machine give memory to its file cache before a round of writes needs it.
 *
 * A virtual machine hands free memory back to its host after some seconds; taking it again costs about 3 ms a MiB there,
 * ten times what writing into it costs, whichever program it happens to. A file that is written and removed right before
 * a round leaves that much memory free that is still the machine's own.
 *
 * @module
 */

const MIB = 1024 * 1024;

/** Writes and removes a file of `bytes` below `directory`. */
export function warmFileCache(directory: string, bytes: number): void {
  const path = Deno.makeTempFileSync({ dir: directory, prefix: "chukcha-bench-warm-" });
  try {
    using file = Deno.openSync(path, { write: true });
    const piece = new Uint8Array(MIB).fill(1);
    for (let written = 0; written < bytes;) written += file.writeSync(piece);
  } finally {
    Deno.removeSync(path);
  }
}
