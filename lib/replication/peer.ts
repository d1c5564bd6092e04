/**
 * Another node of the cluster, as replication sees it: what is asked, what is answered, and nothing of how.
 *
 * One of the four seams (`Clock`, `Random`, `Disk`, `Peer`): a simulated world passes its own, and with the other three
 * that makes a cluster in one process. A peer is asked, never told: each node polls what the others have and takes what
 * it lacks. What comes back is checked like any stranger's input: names by `protocol/names.ts`, bytes by offset and
 * rolling CRC.
 *
 * Every call may be answered late, twice, cut short, or not at all. A call that fails rejects, has changed nothing here,
 * and may be made again.
 *
 * @module
 */
import type { AcknowledgedOf } from "../storage/acknowledged.ts";
import type { ConsumerRecord } from "../storage/consumer_record.ts";

/** Who a node is: its name, the life of its data directory, and the life of its process. */
export interface NodeId {
  readonly instance: string;
  /** New with each data directory. */
  readonly incarnation: string;
  /** New with each start. */
  readonly run: string;
}

/** One node's copy of a chunk. */
export interface CopyState {
  readonly category: string;
  readonly chunk: string;
  /** Readable bytes. */
  readonly size: number;
  /** How many of them are on the device for certain. */
  readonly synced: number;
  /** CRC-32 of the first `size` bytes: two copies with the same are the same. */
  readonly rolling: number;
  /** It grows no more. */
  readonly complete: boolean;
  /** Complete, although not every node could be asked whether it holds more: see `docs/replication.md`. */
  readonly finalised: boolean;
}

/** That a node holds the first `size` bytes of a chunk, `synced` of them on its device. */
export interface Held {
  readonly instance: string;
  readonly incarnation: string;
  readonly category: string;
  readonly chunk: string;
  readonly size: number;
  readonly synced: number;
}

/** What is asked of a peer, again and again. */
export interface ChangesRequest {
  readonly from: NodeId;
  /** Of the last answer; `""` for everything. */
  readonly cursor: string;
  /** What came to be held since the last answered request, by the asking node and by those it speaks for. */
  readonly held: readonly Held[];
  /** Owners that the asking node cannot reach itself: news of their chunks is wanted at once. */
  readonly relay: readonly string[];
  /** Bytes that the asking node lacks of what this peer holds, as far as it knows. */
  readonly behindBytes: number;
  /** How long to wait for news before answering that there are none. */
  readonly waitMs: number;
}

/** Acknowledged chunks of one category and owner. */
export interface AcknowledgedChange extends AcknowledgedOf {
  readonly category: string;
  readonly instance: string;
}

/** What is known of one consumer. */
export interface ConsumerChange {
  readonly category: string;
  readonly consumer: string;
  readonly record: ConsumerRecord;
}

/** What is new at a peer. */
export interface ChangesAnswer {
  readonly node: NodeId;
  /** To be given with the next request; means nothing to anyone but that run of the peer. */
  readonly cursor: string;
  /** The cursor that was given is of another run: this answer begins at the beginning. */
  readonly reset: boolean;
  /** There is more right now. */
  readonly more: boolean;
  /** Milliseconds since the peer heard of an instance, itself or through others. */
  readonly heardMs: ReadonlyMap<string, number>;
  readonly acknowledged: readonly AcknowledgedChange[];
  readonly consumers: readonly ConsumerChange[];
  readonly copies: readonly CopyState[];
  /** First bytes of what is new, where they are few and it is clear what the asking node lacks. */
  readonly pieces: readonly Piece[];
}

/** Bytes of one chunk: whole messages, ending where one of the owner's groups ended, unless they are a `part`. */
export interface Piece {
  readonly category: string;
  readonly chunk: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** CRC-32 of the chunk from its start to the end of `bytes`. */
  readonly rolling: number;
  /** Time of the last append in it, milliseconds since 1970. */
  readonly timeMs: number;
  /** They were asked for with a length, and end anywhere. */
  readonly part?: true;
}

/** A chunk, and from where on it is wanted. */
export interface Wanted {
  readonly category: string;
  readonly chunk: string;
  readonly offset: number;
  /** Exactly so many bytes, wherever messages and groups end: the asking node heals its copy. @default as many as fit */
  readonly length?: number;
}

/** What of the wanted was to be had, in the order asked for, as much as fits. */
export interface FetchAnswer {
  readonly node: NodeId;
  readonly pieces: readonly Piece[];
  /** Chunks that were reached and could not be read: gone, or damaged at that offset. */
  readonly unreadable: readonly Wanted[];
}

/** What a peer knows of one chunk. */
export interface ChunkKnowledge {
  readonly node: NodeId;
  readonly state: "unknown" | "acknowledged" | CopyState;
}

/** Another node. */
export interface Peer {
  /** The name that the settings give it. */
  readonly instance: string;
  /** Where it is, for people. */
  readonly url: string;
  /** What is new since a cursor, as soon as there is anything. `cancel` fires when the answer is of no interest any more. */
  changes(request: ChangesRequest, cancel?: AbortSignal): Promise<ChangesAnswer>;
  /** Bytes of chunks, at most about `bytesMax` in all, but at least one piece if there is any. */
  fetch(from: NodeId, wanted: readonly Wanted[], bytesMax: number): Promise<FetchAnswer>;
  /** What it knows of one chunk, now. */
  knows(from: NodeId, category: string, chunk: string): Promise<ChunkKnowledge>;
  /** Ends all calls that are under way: they reject. */
  close(): void;
}

/** The other side: what a node answers. The same calls; they reject with `ChukchaError` for whom it refuses. */
export interface Answerer {
  /** `gone` fires when the asking node has hung up. */
  changes(request: ChangesRequest, gone?: AbortSignal): Promise<ChangesAnswer>;
  fetch(from: NodeId, wanted: readonly Wanted[], bytesMax: number): Promise<FetchAnswer>;
  knows(from: NodeId, category: string, chunk: string): Promise<ChunkKnowledge>;
}
