/**
 * What a store counts of its own work since it was opened: plain numbers that somebody else shows.
 *
 * Owns nothing and decides nothing. All of it only grows; what can be looked up when it is asked for (bytes, chunks, open
 * files) is not kept here.
 *
 * @module
 */
import { Histogram } from "../protocol/histogram.ts";

/** From a device that has a cache of its own to one that hangs. */
const SYNC_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
/** From a lone writer to more than there are likely to be at once. */
const GROUP_BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024];

/** The counts of one store. */
export class StorageMeter {
  /** How long syncs took that a writer, or another node, waited for. In seconds; those that failed are left out. */
  readonly syncSeconds: Histogram = new Histogram(SYNC_SECONDS);
  /** How many batches were written together. */
  readonly groupBatches: Histogram = new Histogram(GROUP_BATCHES);
  /** Syncs that failed, of chunks that were being appended to or copied. */
  syncFailures = 0;
  /** Chunks that were here and are acknowledged now. */
  acknowledgedChunks = 0;
  /** Batches that were sent again, and not stored again. */
  recognisedBatches = 0;
}
