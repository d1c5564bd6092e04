/**
 * A real log goes in and comes out with the same SHA-256: through `chukcha write` and `chukcha read`, and through curl
 * in batches of a MiB and `GET /read`.
 *
 * The log is made of the text on this machine, each line numbered, so that no two are alike. `TEST_LOG_MIB`
 * sets its size (default 128); `TEST_LOG_MIB=1024` is the long form.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { MESSAGE_BYTES_MAX_DEFAULT, MIB } from "../../lib/protocol/limits.ts";
import { type ChildNode, programArgs, startChildNode, temporaryDirectory } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";

const LOG_MIB = Number(Deno.env.get("TEST_LOG_MIB") ?? 128);
/** Where text lies on most machines; the sources of this project are always there. */
const PLACES = ["/usr/share", "/usr/lib/python3", "/usr/include", "/usr/lib"].map((path) =>
  new URL(`file://${path}/`)
);
const OWN = new URL("../../", import.meta.url);
const TEXT_BYTES_MAX = 64 * MIB;
const NEWLINE = 10;

/** Files below `place` that can be read, in the order of their names. */
function* filesBelow(place: URL): Generator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = Array.from(Deno.readDirSync(place));
  } catch {
    return;
  }
  for (const { name, isFile, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (name.startsWith(".")) continue;
    if (isDirectory) yield* filesBelow(new URL(`${encodeURIComponent(name)}/`, place));
    else if (isFile) yield decodeURIComponent(new URL(encodeURIComponent(name), place).pathname);
  }
}

/** Lines of text files of this machine: at least one, at most about `TEXT_BYTES_MAX` bytes, none with a NUL. */
function gatherLines(): string[] {
  const lines: string[] = [];
  let bytes = 0;
  for (const place of [...PLACES, OWN]) {
    for (const path of filesBelow(place)) {
      if (bytes > TEXT_BYTES_MAX) return lines;
      let text: string;
      try {
        text = Deno.readTextFileSync(path);
      } catch {
        continue;
      }
      if (text.includes("\0") || text.includes("\ufffd")) continue;
      bytes += text.length;
      for (const line of text.split("\n")) {
        if (line.length * 3 + 20 < MESSAGE_BYTES_MAX_DEFAULT) lines.push(line);
      }
    }
  }
  return lines;
}

/** Writes the log; returns its SHA-256. */
async function makeLog(path: string): Promise<{ sha256: string; bytes: number; lines: number }> {
  const source = gatherLines();
  const hash = createHash("sha256");
  const encoder = new TextEncoder();
  using file = await Deno.open(path, { write: true, createNew: true });
  let bytes = 0;
  let lines = 0;
  while (bytes < LOG_MIB * MIB) {
    let text = "";
    while (text.length < MIB) text += `${lines} ${source[lines++ % source.length]}\n`;
    const piece = encoder.encode(text);
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
    hash.update(piece);
    bytes += piece.length;
  }
  return { sha256: hash.digest("hex"), bytes, lines };
}

async function sha256Of(stream: ReadableStream<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of stream) hash.update(piece);
  return hash.digest("hex");
}

/** Runs a program; returns the SHA-256 of what it printed. Throws if it fails. */
async function runProgram(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string> {
  const child = new Deno.Command(program, { args, env, stdin: "null", stdout: "piped", stderr: "piped" })
    .spawn();
  const [sha256, stderr, { code }] = await Promise.all([
    sha256Of(child.stdout),
    new Response(child.stderr).text(),
    child.status,
  ]);
  assertEquals(code, 0, stderr);
  return sha256;
}

/** The log in pieces of at most a MiB that end where lines do. */
async function* batches(path: string): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  const buffer = new Uint8Array(MIB);
  let filled = 0;
  for (;;) {
    const count = await file.read(buffer.subarray(filled));
    if (count !== null) filled += count;
    if (count !== null && filled < buffer.length) continue;
    if (filled === 0) return;
    const end = buffer.lastIndexOf(NEWLINE, filled - 1) + 1;
    yield buffer.slice(0, end);
    buffer.copyWithin(0, end, filled);
    filled -= end;
  }
}

/** Writes the log with one curl for many batches: each a file of its own, given by a configuration. */
async function writeWithCurl(
  node: ChildNode,
  log: string,
  directory: string,
  category: string,
): Promise<void> {
  const url = `${node.url}/write?category=${category}`;
  const path = (i: number): string => `${directory}/batch-${i}`;
  const send = async (count: number): Promise<void> => {
    const requests = Array.from(
      { length: count },
      (_, i) =>
        `url = "${url}"\ndata-binary = "@${
          path(i)
        }"\nfail-with-body\nsilent\nshow-error\nwrite-out = "\\n%{http_code}\\n"`,
    );
    await Deno.writeTextFile(`${directory}/curl`, requests.join("\nnext\n"));
    const { code, stdout, stderr } = await new Deno.Command("curl", { args: ["-K", `${directory}/curl`] })
      .output();
    const decoder = new TextDecoder();
    assertEquals(code, 0, decoder.decode(stderr));
    assertEquals(decoder.decode(stdout).split("\n").filter((line) => line === "200").length, count);
  };
  let count = 0;
  for await (const batch of batches(log)) {
    await Deno.writeFile(path(count++), batch);
    if (count < 32) continue;
    await send(count);
    count = 0;
  }
  if (count > 0) await send(count);
}

/** SHA-256 of a category as `GET /read` gives it. */
async function readWithFetch(node: ChildNode, category: string): Promise<string> {
  const hash = createHash("sha256");
  for (const { name, size } of await node.listChunks(category)) {
    for (let at = 0; at < size;) {
      const bytes = await node.read(category, name, at);
      hash.update(bytes);
      at += bytes.length;
    }
  }
  return hash.digest("hex");
}

async function timed<T>(act: () => Promise<T>, bytes: number): Promise<[T, pace: string]> {
  const startMs = performance.now();
  const result = await act();
  const seconds = (performance.now() - startMs) / 1000;
  return [result, `${seconds.toFixed(1)} s, ${Math.round(bytes / MIB / seconds)} MiB/s`];
}

testWith(`a log of ${LOG_MIB} MiB comes out as it went in: chukcha write and read, curl and GET /read`, [
  tool("curl"),
], async () => {
  await using directory = await temporaryDirectory();
  const log = `${directory.path}/log`;
  const { sha256, bytes, lines } = await makeLog(log);
  await using node = await startChildNode(`${directory.path}/data`);
  const chukcha = (...args: string[]) =>
    runProgram(Deno.execPath(), programArgs(...args), { CHUKCHA_SERVER: node.url });

  const [, written] = await timed(() => chukcha("write", "program", log), bytes);
  const [fromProgram, read] = await timed(() => chukcha("read", "program"), bytes);
  const [, sent] = await timed(() => writeWithCurl(node, log, directory.path, "curl"), bytes);
  const [fromRead, fetched] = await timed(() => readWithFetch(node, "curl"), bytes);
  // deno-lint-ignore no-console
  console.info(
    [
      `${bytes} bytes, ${lines} lines`,
      `  the log        ${sha256}`,
      `  chukcha read   ${fromProgram}   write ${written}; read ${read}`,
      `  GET /read      ${fromRead}   curl in batches of 1 MiB ${sent}; GET /read ${fetched}`,
    ].join("\n"),
  );
  assertEquals({ fromProgram, fromRead }, { fromProgram: sha256, fromRead: sha256 });
});
