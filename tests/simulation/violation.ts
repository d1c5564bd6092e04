/**
 * That an invariant does not hold: the one kind of error that a history is searched for.
 *
 * @module
 */

/** The invariants of the product, by the names that its documentation gives them. */
export type Invariant =
  | "AckedDurable"
  | "PrefixAlways"
  | "WholeMessages"
  | "NoInvention"
  | "NoMeansNo"
  | "BatchAtomic"
  | "OwnerOnlyAppends"
  | "NumberNeverReused"
  | "CompleteImmutable"
  | "MinSyncTruth"
  | "SyncBeforeOk"
  | "ServedWithinPublished"
  | "NoResurrection"
  | "NoDeleteWithoutAck"
  | "OrderPerChunk"
  | "StoredOnce"
  | "ConsumerMissesNothing"
  | "CorruptNeverServed"
  | "PoisonSticky"
  | "Converges"
  | "Live"
  | "Bounded"
  | "Deterministic";

/** An invariant was broken. */
export class Violation extends Error {
  override readonly name = "Violation";

  constructor(readonly invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}`);
  }
}
