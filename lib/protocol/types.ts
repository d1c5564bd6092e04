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

/** One check of `/readyz` and `/status`. */
export interface HealthCheck {
  /** One word that never changes. */
  readonly name: string;
  /** Whether it passed. */
  readonly ok: boolean;
  /** One sentence; for a failed check also what to do. */
  readonly message: string;
}

/** Answer of `GET /status`. */
export interface NodeStatus {
  /** Name of the node. */
  readonly instance: string;
  /** Identity of the data directory: another one under the same name is another node. */
  readonly incarnation: string;
  /** Version of the program. */
  readonly version: string;
  /** Whether it takes requests, or finishes the last ones. */
  readonly state: "serving" | "draining";
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
  /** The file system of the data directory. */
  readonly disk: { readonly path: string; readonly free_bytes: number; readonly total_bytes: number };
  /** What is in use now: files, streams of `/tail`, and bytes of bodies not yet stored. */
  readonly open: { readonly files: number; readonly tails: number; readonly body_bytes: number };
  /** Settings by name, as they are in force. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}
