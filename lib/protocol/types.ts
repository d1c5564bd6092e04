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
  readonly name: string;
  readonly ok: boolean;
  /** One sentence; for a failed check also what to do. */
  readonly message: string;
}

/** Answer of `GET /status`. */
export interface NodeStatus {
  readonly instance: string;
  readonly incarnation: string;
  readonly version: string;
  readonly state: "serving" | "draining";
  readonly uptime_ms: number;
  /** What the current settings survive and what they do not, in one sentence. */
  readonly promise: string;
  readonly healthy: boolean;
  readonly checks: readonly HealthCheck[];
  readonly categories: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly disk: { readonly path: string; readonly free_bytes: number; readonly total_bytes: number };
  readonly open: { readonly files: number; readonly tails: number; readonly body_bytes: number };
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}
