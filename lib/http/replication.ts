/**
 * `POST /replication/changes`, `/fetch`, `/knows`: what other nodes of the cluster ask, drawn in
 * `lib/replication/wire.ts`.
 *
 * Pieces of an answer are never copied, unless they are few: the head and the pieces go out one behind the other, as
 * they are in memory.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { concatenate } from "../protocol/bytes.ts";
import { REPLICATION_REQUEST_BYTES_MAX, REPLICATION_WHOLE_BYTES_MAX } from "../protocol/limits.ts";
import type { Answerer } from "../replication/peer.ts";
import {
  decodeChangesRequest,
  decodeFetchRequest,
  decodeKnowsRequest,
  encodeChangesAnswer,
  encodeFetchAnswer,
  encodeKnowledge,
} from "../replication/wire.ts";
import { WireError } from "../replication/wire_fields.ts";
import { takeBody } from "./body.ts";
import type { Service } from "./service.ts";

/** Of a type that the runtime does not compress: the length is to be known, and most of it are packed already. */
const BYTES = { "content-type": "application/octet-stream" };

/** Handles `POST /replication/changes`: the long poll. */
export async function changes(service: Service, request: Request): Promise<Response> {
  const answerer = answererOf(service);
  const asked = await take(service, request, decodeChangesRequest);
  // The one handler that looks at the signal: it costs 3 µs, and who waits here may wait long.
  const { instance } = asked.from;
  const answer = await service.polls.during(instance, () => answerer.changes(asked, request.signal));
  return toResponse(service, encodeChangesAnswer(answer));
}

/** Handles `POST /replication/fetch`: bytes of chunks. */
export async function fetchPieces(service: Service, request: Request): Promise<Response> {
  const answerer = answererOf(service);
  const { from, wanted, bytesMax } = await take(service, request, decodeFetchRequest);
  return toResponse(service, encodeFetchAnswer(await answerer.fetch(from, wanted, bytesMax)));
}

/** Handles `POST /replication/knows`: what is known of one chunk. */
export async function knows(service: Service, request: Request): Promise<Response> {
  const answerer = answererOf(service);
  const { from, category, chunk } = await take(service, request, decodeKnowsRequest);
  return toResponse(service, encodeKnowledge(await answerer.knows(from, category, chunk)));
}

function answererOf({ replication }: Service): Answerer {
  if (replication) return replication;
  throw new ChukchaError("not_found", "replication: this node has no --peers");
}

/** The request out of its body, which is let go before anything is waited for. */
async function take<T>(
  { arriving }: Service,
  request: Request,
  decode: (bytes: Uint8Array) => T,
): Promise<T> {
  const body = await takeBody(request, { batchBytesMax: REPLICATION_REQUEST_BYTES_MAX, arriving });
  try {
    return decode(body.bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new ChukchaError("invalid_body", error.message, { cause: error });
  } finally {
    body.release();
  }
}

function toResponse({ streams }: Service, parts: readonly Uint8Array[]): Response {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size <= REPLICATION_WHOLE_BYTES_MAX) return new Response(concatenate(parts), { headers: BYTES });
  const rest = parts.values();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = rest.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  }, { highWaterMark: 0 });
  const headers = { ...BYTES, "content-length": String(size) };
  return new Response(streams.open("replication", body), { headers });
}
