/**
 * The JSON that goes over the wire.
 *
 * @module
 */

/** Answer of `POST /write`: where the batch starts, and its length in bytes. */
export interface WriteResult {
  /** Name of the chunk; empty if the batch was empty. */
  readonly chunk: string;
  /** Offset of the batch's first byte within the chunk. */
  readonly offset: number;
  /** Bytes stored, each message with its `\n`. */
  readonly size: number;
}

/** One chunk, as `GET /listChunks` lists it. */
export interface ChunkInfo {
  /** `<instance>-chunk<nine digits>`. */
  readonly name: string;
  /** The owner appends no more. */
  readonly complete: boolean;
  /** Readable bytes. */
  readonly size: number;
  /** Present if some bytes of it fail their checksum on this node. */
  readonly damaged?: true;
}

/** One consumer of a category, as `GET /consumers` lists it. */
export interface ConsumerInfo {
  /** What it reads. */
  readonly category: string;
  /** Its name. */
  readonly consumer: string;
  /** Raised by each seek: what was handed out before is not acknowledged by it any more. */
  readonly epoch: number;
  /** Readable bytes that it has not acknowledged, on this node. */
  readonly lag_bytes: number;
  /** Chunks that these bytes belong to. */
  readonly lag_chunks: number;
  /** How many of them this node has handed out under leases that have not run out. */
  readonly leased_bytes: number;
  /** Per owner, the first place that it has not acknowledged; sorted by chunk. */
  readonly positions: readonly { readonly chunk: string; readonly offset: number }[];
}

/** What of a consumer `/status` tells. */
export type ConsumerLag = Pick<
  ConsumerInfo,
  "category" | "consumer" | "lag_bytes" | "lag_chunks" | "leased_bytes"
>;

/** One check of `/readyz` and `/status`. */
export interface HealthCheck {
  /** One word that never changes. */
  readonly name: string;
  /** Whether it passed. */
  readonly ok: boolean;
  /** One sentence; for a failed check also what to do. */
  readonly message: string;
}

/** Another node of the cluster, as this node sees it. */
export interface PeerStatus {
  /** Its name. */
  readonly instance: string;
  /** Where it is asked. */
  readonly url: string;
  /** Whether it answered when it was last asked. */
  readonly reachable: boolean;
  /** Milliseconds that it has been reachable, or has not been. */
  readonly since_ms: number;
  /** Bytes that this node lacks of what the peer holds, as far as it knows. */
  readonly behind_bytes: number;
  /** Chunks that these bytes belong to. */
  readonly behind_chunks: number;
  /** Bytes that the peer said it lacks of what this node holds; `null` as long as it said nothing. */
  readonly lag_bytes: number | null;
  /** What went wrong when it was last asked in vain, in one sentence; `null` if nothing did. */
  readonly last_error: string | null;
}

/** What looking for rot has found since the start of the node, and what became of it. */
export interface ScrubStatus {
  /** Milliseconds over which a round over all complete chunks is spread; 0 if none is made. */
  readonly interval_ms: number;
  /** When the last round ended, in milliseconds since 1970; `null` before the first has. */
  readonly last_round_ms: number | null;
  /** How many chunks were looked at. */
  readonly chunks: number;
  /** How many bytes that were, those of indexes among them. */
  readonly bytes: number;
  /** How many chunks were found damaged, by this or by a reader. */
  readonly damaged: number;
  /** How many of them are whole again. */
  readonly healed: number;
  /** How many are damaged now. */
  readonly unhealed: number;
}

/** Answer of `GET /status`. */
export interface NodeStatus {
  /** Name of the node. */
  readonly instance: string;
  /** Identity of the data directory: another one under the same name is another node. */
  readonly incarnation: string;
  /** Version of the program. */
  readonly version: string;
  /** Whether it still asks its peers which chunk numbers it has used, takes requests, or finishes the last ones. */
  readonly state: "joining" | "serving" | "draining";
  /** Milliseconds since the start. */
  readonly uptime_ms: number;
  /** What the current settings survive and what they do not, in one sentence. */
  readonly promise: string;
  /** Whether all checks passed. */
  readonly healthy: boolean;
  /** Every check, passed or not. */
  readonly checks: readonly HealthCheck[];
  /** How many categories there are. */
  readonly categories: number;
  /** How many chunks are stored. */
  readonly chunks: number;
  /** Readable bytes in all of them. */
  readonly bytes: number;
  /** How many consumers there are, and those of them that are furthest behind, at most 10; the largest lag first. */
  readonly consumers: { readonly count: number; readonly behind: readonly ConsumerLag[] };
  /** The other nodes of the cluster, by name; none of them when the node is alone. */
  readonly peers: readonly PeerStatus[];
  /** The file system of the data directory. */
  readonly disk: { readonly path: string; readonly free_bytes: number; readonly total_bytes: number };
  /** What looking for rot has found. */
  readonly scrub: ScrubStatus;
  /** What is in use now: files, streams of `/tail`, bytes of bodies not yet stored, and connections. */
  readonly open: {
    readonly files: number;
    readonly tails: number;
    readonly body_bytes: number;
    /** `null` where nobody knows: everywhere but on Linux. */
    readonly connections: number | null;
  };
  /** Settings by name, as they are in force. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}
