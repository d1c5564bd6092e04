/**
 * What is said where two copies of a chunk are not prefixes of one another: nothing is mixed, both are kept.
 *
 * @module
 */

/** Bytes, a checksum or a size from another node do not fit the copy that is here. Nothing was changed. */
export class CopyMismatchError extends Error {
  override readonly name = "CopyMismatchError";
}
