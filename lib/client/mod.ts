/**
 * Write to, read from and follow a Chukcha node, from Deno, Node, Bun and browsers.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ChukchaClient } from "./mod.ts";
 *
 * // A stand-in for a node, which answers that it has one category.
 * const server = Deno.serve({ port: 0, onListen() {} }, () => Response.json(["web"]));
 * const client = new ChukchaClient({ server: `http://127.0.0.1:${server.addr.port}` });
 * assertEquals(await client.listCategories(), ["web"]);
 * await server.shutdown();
 * ```
 *
 * @module
 */
export { Batch, type BatchKeeper, type BatchOutcome } from "./batch.ts";
export { Chukcha, connect, type ConnectOptions } from "./chukcha.ts";
export { ChukchaClient, SERVER_DEFAULT } from "./client.ts";
export { Consumer, type ConsumerOptions } from "./consumer.ts";
export type {
  AckOptions,
  CallOptions,
  ClientOptions,
  ReadOptions,
  TailOptions,
  WriteBody,
  WriteOptions,
} from "./options.ts";
export type {
  ChunkPlace,
  Consumed,
  ConsumedHead,
  ConsumeOptions,
  ForgetOptions,
  From,
  LeaseOptions,
  PromptOptions,
  SeekOptions,
} from "./consumer_options.ts";
export { MessageError, type Source } from "./lines.ts";
export type { Nodes, Trouble } from "./route.ts";
export { type MessageValue } from "./message_content.ts";
export { Producer } from "./producer.ts";
export { ProducerError, type ProducerErrorCode } from "./producer_error.ts";
export type { ProducerOptions } from "./producer_options.ts";
export { Servers, type ServersOptions } from "./servers.ts";
export { eventId, type EventIdOptions, eventTime, withEventId } from "./event_id.ts";
export type { TailPiece } from "./event_parser.ts";
export { type FollowOptions, Piece } from "./tail.ts";
export type { FetchLike } from "./transport.ts";
export { isRetryable, TransportError, type TransportFailure } from "./transport_error.ts";
export {
  ChukchaError,
  ERROR_STATUS,
  type ErrorBody,
  type ErrorCode,
  type Written,
} from "../protocol/errors.ts";
export type {
  ChunkInfo,
  ConsumerInfo,
  ConsumerLag,
  HealthCheck,
  NodeStatus,
  PeerStatus,
  ScrubStatus,
  WriteResult,
} from "../protocol/types.ts";
