/**
 * What a measurement puts into a node and takes out again: batches to read from, and chunks that are let go so that
 * the disk does not fill.
 *
 * @module
 */

const BATCH_BYTES = 4 * 1024 * 1024;
/** Eight batches: more than processor caches hold, little enough to stay in the page cache. */
const BATCHES = 8;
/** A power of two, so that a range of any measured size begins and ends with whole messages. */
const MESSAGE_BYTES = 128;

/** Writes batches into `category` and returns the paths of reads of exactly `bytes`, each ending at a line's end. */
export async function prepareReads(url: string, category: string, bytes: number): Promise<string[]> {
  const batch = new TextEncoder().encode(
    `${"m".repeat(MESSAGE_BYTES - 1)}\n`.repeat(BATCH_BYTES / MESSAGE_BYTES),
  );
  const paths: string[] = [];
  for (let i = 0; i < BATCHES; i++) {
    const answer = await fetch(`${url}/write?category=${category}`, { method: "POST", body: batch });
    if (!answer.ok) throw new Error(`writing what is to be read: ${answer.status} ${await answer.text()}`);
    const { chunk, offset }: { chunk: string; offset: number } = await answer.json();
    for (let at = 0; at < BATCH_BYTES; at += bytes) {
      paths.push(`/read?category=${category}&chunk=${chunk}&off=${offset + at}&max_size=${bytes}`);
    }
  }
  await checkRead(`${url}${paths[0]}`, bytes);
  return paths;
}

/** Writes one batch of `bytes` and checks the answer in full: wrk itself tells errors only from 400 on. */
export async function checkWrite(url: string, bytes: number): Promise<void> {
  const body = new Uint8Array(bytes).fill(0x6d);
  body[bytes - 1] = 0x0a;
  const answer = await fetch(url, { method: "POST", body });
  const text = await answer.text();
  const stored = answer.status === 200 && (JSON.parse(text) as { size: number }).size === bytes;
  if (!stored) throw new Error(`a write of ${bytes} bytes was answered with ${answer.status}: ${text}`);
}

/** Acknowledges every complete chunk, so that a round leaves at most one chunk behind; returns the bytes let go. */
export async function letGo(url: string, category: string): Promise<number> {
  const answer = await fetch(`${url}/listChunks?category=${category}`);
  if (!answer.ok) throw new Error(`listing chunks: ${answer.status} ${await answer.text()}`);
  const chunks: { name: string; complete: boolean; size: number }[] = await answer.json();
  let bytes = 0;
  for (const { name, size } of chunks.filter(({ complete }) => complete)) {
    const ack = await fetch(`${url}/ack?category=${category}&chunk=${name}&size=${size}`);
    if (!ack.ok) throw new Error(`acknowledging ${name}: ${ack.status} ${await ack.text()}`);
    await ack.body?.cancel();
    bytes += size;
  }
  return bytes;
}

/** Bytes of a category that the node lists. */
export async function storedBytes(url: string, category: string): Promise<number> {
  const answer = await fetch(`${url}/listChunks?category=${category}`);
  if (!answer.ok) throw new Error(`listing chunks: ${answer.status} ${await answer.text()}`);
  const chunks: { size: number }[] = await answer.json();
  return chunks.reduce((sum, { size }) => sum + size, 0);
}

async function checkRead(url: string, bytes: number): Promise<void> {
  const answer = await fetch(url);
  const body = await answer.bytes();
  if (answer.status !== 200 || body.length !== bytes || body.at(-1) !== 0x0a) {
    throw new Error(`a read of ${bytes} bytes was answered with ${answer.status} and ${body.length} bytes`);
  }
}
