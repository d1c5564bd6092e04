/**
 * The error of everything that goes wrong on the way to a peer: no connection, a broken one, silence, or an answer that
 * no node gives. What a peer itself refuses arrives as a `ChukchaError`.
 *
 * @module
 */

/** A call to a peer that got no valid answer. */
export class PeerError extends Error {
  override readonly name = "PeerError";

  /**
   * @param action what was attempted, as in `poll node_2 at http://10.0.0.2:8080`
   * @param reason what happened, as the last part of the message
   */
  constructor(action: string, reason: string, cause?: unknown) {
    super(`${action}: ${reason}`, cause === undefined ? undefined : { cause });
  }
}
