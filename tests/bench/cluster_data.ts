/**
 * What a node is filled with before another one takes it, and how both are compared afterwards.
 *
 * @module
 */

const MIB = 1024 * 1024;
const BATCH_BYTES = 4 * MIB;
const MESSAGE_BYTES = 128;
/** Every so often a message tells where it is, so that bytes in a wrong place are not taken for the right ones. */
const MARK_BYTES = 16 * 1024;
const READ_BYTES = 16 * MIB;
/** Writers at once: enough to keep the node busy. */
const WRITERS = 2;

/** Writes `bytes`, a whole number of MiB, to a node. */
export async function fill(url: string, category: string, bytes: number): Promise<void> {
  let next = 0;
  const writer = async (): Promise<void> => {
    const batch = new TextEncoder().encode(
      `${"m".repeat(MESSAGE_BYTES - 1)}\n`.repeat(BATCH_BYTES / MESSAGE_BYTES),
    );
    while (next < bytes) {
      const at = next;
      next += BATCH_BYTES;
      const body = batch.subarray(0, Math.min(BATCH_BYTES, bytes - at));
      mark(body, at);
      const answer = await fetch(`${url}/write?category=${category}`, { method: "POST", body });
      if (!answer.ok) throw new Error(`filling: ${answer.status} ${await answer.text()}`);
      await answer.body?.cancel();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

/** Puts its place into a message of every {@linkcode MARK_BYTES}. */
function mark(batch: Uint8Array, start: number): void {
  const encoder = new TextEncoder();
  for (let at = 0; at < batch.length; at += MARK_BYTES) {
    encoder.encodeInto(String(start + at).padStart(16, "0"), batch.subarray(at));
  }
}

/** SHA-256 of the first, the middle and the last chunk of a category, as a reader gets them. */
export async function chunkHashes(url: string, category: string): Promise<Map<string, string>> {
  const answer = await fetch(`${url}/listChunks?category=${category}`);
  if (!answer.ok) throw new Error(`listing chunks: ${answer.status} ${await answer.text()}`);
  const listed: { name: string; size: number }[] = await answer.json();
  const chunks = listed.toSorted((a, b) => a.name < b.name ? -1 : 1);
  const chosen = new Set([0, chunks.length >> 1, chunks.length - 1]);
  const hashes = new Map<string, string>();
  for (const { name, size } of chunks.filter((_, i) => chosen.has(i))) {
    const bytes = await readChunk(`${url}/read?category=${category}&chunk=${name}`, size);
    hashes.set(name, new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex());
  }
  return hashes;
}

async function readChunk(url: string, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const answer = await fetch(`${url}&off=${at}&max_size=${READ_BYTES}`);
    const part = await answer.bytes();
    if (!answer.ok || part.length === 0) throw new Error(`reading ${url} at ${at}: ${answer.status}`);
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
