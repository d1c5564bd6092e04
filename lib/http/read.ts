/**
 * `GET /read`, `/ack`, `/listChunks`, `/listCategories`: what a reader needs.
 *
 * @module
 */
import { READ_BYTES_DEFAULT, READ_BYTES_MAX } from "../protocol/limits.ts";
import { checkCategory, checkChunk } from "../protocol/names.ts";
import type { Chunk } from "../storage/chunk.ts";
import { acknowledgeFor } from "./consume.ts";
import { jsonList } from "./json_list.ts";
import { Params } from "./params.ts";
import { ANYBODY, type Caller } from "./rights.ts";
import type { Service } from "./service.ts";

const JSON_TYPE = { "content-type": "application/json" };
const BYTES = { "content-type": "application/octet-stream" };
const OFFSET = { min: 0, max: Number.MAX_SAFE_INTEGER, default: 0 };
const SIZE = { min: 0, max: Number.MAX_SAFE_INTEGER };
const MAX_SIZE = { min: 1, max: READ_BYTES_MAX, default: READ_BYTES_DEFAULT };

/** The JSON of all names, as far as it was made, for as long as a store has no others. */
const NAME_SLICES = new WeakMap<readonly string[], Uint8Array<ArrayBuffer>[]>();

/** Handles `GET /read`: whole messages of one chunk. */
export async function read({ store, traffic, streams }: Service, request: Request): Promise<Response> {
  const params = Params.of(request.url);
  const category = checkCategory(params.required("category"));
  const chunk = checkChunk(params.required("chunk"));
  const offset = params.integer("off", OFFSET);
  const { size, body } = await store.read(category, chunk, offset, params.integer("max_size", MAX_SIZE));
  const isHead = request.method === "HEAD";
  if (!isHead) traffic.read(category, size);
  // The runtime itself says how long a body is that is in memory.
  if (body instanceof Uint8Array && !isHead) return new Response(body as BufferSource, { headers: BYTES });
  const headers = { ...BYTES, "content-length": String(size) };
  if (!isHead) return new Response(streams.open("read", body as ReadableStream<Uint8Array>), { headers });
  if (body instanceof ReadableStream) await body.cancel();
  return new Response(null, { headers });
}

/** Handles `GET` and `POST /ack`: a whole chunk that its readers are done with, or what one consumer has processed. */
export async function ack(service: Service, request: Request): Promise<Response> {
  const params = Params.of(request.url);
  const consumer = params.text("consumer");
  if (consumer !== undefined) return await acknowledgeFor(service, request, params, consumer);
  const category = checkCategory(params.required("category"));
  const chunk = checkChunk(params.required("chunk"));
  const size = params.integer("size", SIZE);
  if (request.method === "HEAD") return new Response(null, { status: 200 });
  await service.acknowledge(category, chunk, size);
  return Response.json({ chunk, acknowledged: true });
}

/** Handles `GET /listChunks`. */
export function listChunks({ store, streams }: Service, request: Request): Response {
  const elements = store.chunks(checkCategory(Params.of(request.url).required("category")))?.sorted() ?? [];
  if (request.method === "HEAD") return new Response(null, { headers: JSON_TYPE });
  return jsonList(streams, { what: "listChunks", elements, toJson: chunkJson });
}

/** Handles `GET /listCategories`: those that the caller may read. */
export function listCategories({ store, streams }: Service, request: Request, caller: Caller): Response {
  const names = store.listCategories();
  const elements = caller === ANYBODY ? names : names.filter((name) => caller.may("read", name));
  if (request.method === "HEAD") return new Response(null, { headers: JSON_TYPE });
  const list = { what: "listCategories", elements, toJson: quoted };
  return jsonList(streams, elements === names ? { ...list, slices: slicesOf(names) } : list);
}

function slicesOf(names: readonly string[]): Uint8Array<ArrayBuffer>[] {
  let slices = NAME_SLICES.get(names);
  if (!slices) NAME_SLICES.set(names, slices = []);
  return slices;
}

/** As `JSON.stringify(chunk.toInfo())`, three times as fast: a chunk's name has nothing that JSON would escape. */
function chunkJson({ name, complete, size, damaged }: Chunk): string {
  return `{"name":"${name}","complete":${complete},"size":${size}${damaged ? ',"damaged":true}' : "}"}`;
}

/** Neither has that of a category. */
function quoted(name: string): string {
  return `"${name}"`;
}
