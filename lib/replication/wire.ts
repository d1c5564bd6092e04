/**
 * What nodes ask each other, as it goes over HTTP. Here is the layout; sending it is the business of others.
 *
 * ```text
 * POST /replication/changes   {"from":N,"cursor":"","held":H,"relay":["node_3"],"behind_bytes":0,"wait_ms":20000}
 *   answer                    {"node":N,"cursor":"…","reset":false,"more":false,"heard_ms":[["node_3",120]],
 *                              "acknowledged":A,"consumers":K,"copies":C,"pieces":P}\n<bytes>
 * POST /replication/fetch     {"from":N,"bytes_max":4194304,"wanted":W}
 *   answer                    {"node":N,"pieces":P,"unreadable":W}\n<bytes>
 * POST /replication/knows     {"from":N,"category":"web","chunk":"node_1-chunk000000042"}
 *   answer                    {"node":N,"state":S}\n
 *
 * N   [<instance>, <incarnation>, <run>]
 * S   "unknown", "acknowledged", or of the copy [size, synced, rolling, kind]
 * A, C, H, P, W               groups of rows, see wire_rows.ts
 * K   places of consumers, see wire_consumers.ts; left out where there are none
 * ```
 *
 * Everything is judged before it is used, in requests and in answers: it may come from a stranger. What is not as drawn
 * is a `WireError`, and nothing of that message is used. Fields that nobody knows are left to later versions.
 *
 * @module
 */
import {
  REPLICATION_CURSOR_CHARS_MAX,
  REPLICATION_HELD_MAX,
  REPLICATION_NAMES_MAX,
  REPLICATION_WANTED_MAX,
} from "../protocol/limits.ts";
import { parseChunkName } from "../protocol/names.ts";
import type { ChangesAnswer, ChangesRequest, ChunkKnowledge, FetchAnswer, NodeId, Wanted } from "./peer.ts";
import {
  booleanOf,
  categoryOf,
  idOf,
  instanceOf,
  integerOf,
  listOf,
  parseObject,
  refuse,
  textOf,
  tupleOf,
} from "./wire_fields.ts";
import { decodeConsumerChanges, encodeConsumerChanges } from "./wire_consumers.ts";
import { decodeFrame, decodeFramePieces, encodeFrame, type FrameParts } from "./wire_frame.ts";
import {
  decodeAcknowledged,
  decodeCopies,
  decodeCopyDetail,
  decodeHeld,
  decodeWanted,
  encodeAcknowledged,
  encodeCopies,
  encodeCopyDetail,
  encodeHeld,
  encodePieces,
  encodeWanted,
} from "./wire_rows.ts";

/** What is given to `Peer.fetch`. */
export interface FetchRequest {
  readonly from: NodeId;
  readonly wanted: readonly Wanted[];
  readonly bytesMax: number;
}

/** What is given to `Peer.knows`. */
export interface KnowsRequest {
  readonly from: NodeId;
  readonly category: string;
  readonly chunk: string;
}

/** Sums of bytes, and times. */
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

const encodeNode = ({ instance, incarnation, run }: NodeId) => [instance, incarnation, run];

function decodeNode(field: string, value: unknown): NodeId {
  const parts = tupleOf(field, value, 3);
  return {
    instance: instanceOf(`${field}.instance`, parts[0]),
    incarnation: idOf(`${field}.incarnation`, parts[1]),
    run: idOf(`${field}.run`, parts[2]),
  };
}

/** A poll. */
export function encodeChangesRequest(request: ChangesRequest): string {
  return JSON.stringify({
    from: encodeNode(request.from),
    cursor: request.cursor,
    held: encodeHeld(request.held),
    relay: request.relay,
    behind_bytes: request.behindBytes,
    wait_ms: request.waitMs,
  });
}

/** A poll. */
export function decodeChangesRequest(body: Uint8Array): ChangesRequest {
  const fields = parseObject(body);
  return {
    from: decodeNode("from", fields.from),
    cursor: textOf("cursor", fields.cursor, REPLICATION_CURSOR_CHARS_MAX),
    held: decodeHeld("held", fields.held, REPLICATION_HELD_MAX),
    relay: listOf("relay", fields.relay, REPLICATION_NAMES_MAX).map((name) => instanceOf("relay", name)),
    behindBytes: integerOf("behind_bytes", fields.behind_bytes, COUNT_MAX),
    // Who answers has a bound of its own, and may have another one in a later version.
    waitMs: integerOf("wait_ms", fields.wait_ms, COUNT_MAX),
  };
}

/** The answer to a poll. */
export function encodeChangesAnswer(answer: ChangesAnswer): FrameParts {
  return encodeFrame({
    node: encodeNode(answer.node),
    cursor: answer.cursor,
    reset: answer.reset,
    more: answer.more,
    heard_ms: Array.from(answer.heardMs, ([instance, ms]) => [instance, Math.round(ms)]),
    acknowledged: encodeAcknowledged(answer.acknowledged),
    ...answer.consumers.length === 0 ? {} : { consumers: encodeConsumerChanges(answer.consumers) },
    copies: encodeCopies(answer.copies),
    pieces: encodePieces(answer.pieces),
  }, answer.pieces);
}

/** The answer to a poll; its pieces are parts of `bytes`. */
export function decodeChangesAnswer(bytes: Uint8Array): ChangesAnswer {
  const { head, bytes: rest } = decodeFrame(bytes);
  return {
    node: decodeNode("node", head.node),
    cursor: textOf("cursor", head.cursor, REPLICATION_CURSOR_CHARS_MAX),
    reset: booleanOf("reset", head.reset),
    more: booleanOf("more", head.more),
    heardMs: decodeHeard("heard_ms", head.heard_ms),
    acknowledged: decodeAcknowledged("acknowledged", head.acknowledged),
    consumers: decodeConsumerChanges("consumers", head.consumers ?? []),
    copies: decodeCopies("copies", head.copies),
    pieces: decodeFramePieces("pieces", head.pieces, rest),
  };
}

function decodeHeard(field: string, value: unknown): Map<string, number> {
  const heard = new Map<string, number>();
  for (const item of listOf(field, value, REPLICATION_NAMES_MAX)) {
    const parts = tupleOf(field, item, 2);
    const instance = instanceOf(field, parts[0]);
    if (heard.has(instance)) refuse(field, instance, "told once");
    heard.set(instance, integerOf(field, parts[1], COUNT_MAX));
  }
  return heard;
}

/** A request for bytes. */
export function encodeFetchRequest({ from, wanted, bytesMax }: FetchRequest): string {
  return JSON.stringify({ from: encodeNode(from), bytes_max: bytesMax, wanted: encodeWanted(wanted) });
}

/** A request for bytes. */
export function decodeFetchRequest(body: Uint8Array): FetchRequest {
  const fields = parseObject(body);
  return {
    from: decodeNode("from", fields.from),
    wanted: decodeWanted("wanted", fields.wanted, REPLICATION_WANTED_MAX),
    bytesMax: integerOf("bytes_max", fields.bytes_max, COUNT_MAX, 1),
  };
}

/** Bytes. */
export function encodeFetchAnswer({ node, pieces, unreadable }: FetchAnswer): FrameParts {
  const head = {
    node: encodeNode(node),
    pieces: encodePieces(pieces),
    unreadable: encodeWanted(unreadable),
  };
  return encodeFrame(head, pieces);
}

/** Bytes; they are parts of `bytes`. */
export function decodeFetchAnswer(bytes: Uint8Array): FetchAnswer {
  const { head, bytes: rest } = decodeFrame(bytes);
  return {
    node: decodeNode("node", head.node),
    pieces: decodeFramePieces("pieces", head.pieces, rest),
    unreadable: decodeWanted("unreadable", head.unreadable, REPLICATION_WANTED_MAX),
  };
}

/** A question about one chunk. */
export function encodeKnowsRequest({ from, category, chunk }: KnowsRequest): string {
  return JSON.stringify({ from: encodeNode(from), category, chunk });
}

/** A question about one chunk. */
export function decodeKnowsRequest(body: Uint8Array): KnowsRequest {
  const { from, category, chunk } = parseObject(body);
  if (typeof chunk !== "string" || !parseChunkName(chunk)) refuse("chunk", chunk, "a chunk");
  return { from: decodeNode("from", from), category: categoryOf("category", category), chunk };
}

/** What is known of a chunk. */
export function encodeKnowledge({ node, state }: ChunkKnowledge): FrameParts {
  return encodeFrame({
    node: encodeNode(node),
    state: typeof state === "string" ? state : encodeCopyDetail(state),
  });
}

/** What is known of the chunk that was asked about. */
export function decodeKnowledge(bytes: Uint8Array, category: string, chunk: string): ChunkKnowledge {
  const { head: { node: id, state }, bytes: rest } = decodeFrame(bytes);
  const node = decodeNode("node", id);
  if (rest.length > 0) refuse("answer", rest.length, "without bytes behind its JSON");
  if (state === "unknown" || state === "acknowledged") return { node, state };
  return { node, state: { category, chunk, ...decodeCopyDetail("state", state) } };
}
