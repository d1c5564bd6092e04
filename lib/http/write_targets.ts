/**
 * What a write's URL asks for: where to, and what of it must hold before the answer.
 *
 * Owns the parameters of `/write`: their rules, their defaults, and what is remembered of URLs that were judged before.
 * Producers send to one URL again and again: to look it up costs a fifth of what it costs to take it apart. Not kept are
 * URLs with a `sequence`, which is another one each time, and long ones.
 *
 * Invariant: what is remembered depends on the URL and on settings that never change while the node runs.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import {
  WRITE_TARGETS_MAX,
  WRITE_TIMEOUT_MS_DEFAULT,
  WRITE_TIMEOUT_MS_MAX,
  WRITE_URL_CHARS_MAX,
} from "../protocol/limits.ts";
import { checkCategory, checkProducer } from "../protocol/names.ts";
import type { Demand } from "../replication/confirmations.ts";
import type { BatchSource } from "../storage/batch_journal.ts";
import { Params } from "./params.ts";

/** A default outside of the range: the node's own applies. */
const REPLICAS = { min: 0, max: 1_000_000, default: -1 };
const TIMEOUT_MS = { min: 0, max: WRITE_TIMEOUT_MS_MAX, default: WRITE_TIMEOUT_MS_DEFAULT };
const SEQUENCE = { min: 0, max: Number.MAX_SAFE_INTEGER };

/** Where a batch goes, and what is asked of it. */
export interface WriteTarget {
  readonly category: string;
  readonly demand: Demand;
  /** Who sends it, and with which number, so that it is known when it comes again. */
  readonly source: BatchSource | undefined;
}

/** What applies where a request does not say. */
export interface WriteDefaults {
  readonly syncEachWrite: boolean;
  readonly minSyncReplicas: number;
  /** Other nodes of the cluster. */
  readonly peerCount: number;
}

/** Judges URLs of writes. */
export class WriteTargets {
  readonly #defaults: WriteDefaults;
  readonly #known = new Map<string, WriteTarget>();

  constructor(defaults: WriteDefaults) {
    this.#defaults = defaults;
  }

  /** What a whole URL asks for, as `request.url` has it; throws `invalid_parameter` naming what is wrong. */
  of(url: string): WriteTarget {
    return this.#known.get(url) ?? this.#judge(url);
  }

  #judge(url: string): WriteTarget {
    const params = Params.of(url);
    const category = checkCategory(params.required("category"));
    const sync = params.flag("sync_each_write", this.#defaults.syncEachWrite);
    const timeoutMs = params.integer("timeout", TIMEOUT_MS) || WRITE_TIMEOUT_MS_DEFAULT;
    const asked = params.integer("min_sync_replicas", REPLICAS);
    const replicas = asked < 0 ? this.#defaults.minSyncReplicas : asked;
    this.#checkReplicas(replicas);
    const source = sourceOf(params);
    const target = { category, demand: { replicas, sync, timeoutMs }, source };
    if (!source && url.length <= WRITE_URL_CHARS_MAX) {
      if (this.#known.size >= WRITE_TARGETS_MAX) this.#known.clear();
      this.#known.set(url, target);
    }
    return target;
  }

  #checkReplicas(replicas: number): void {
    const { peerCount } = this.#defaults;
    if (replicas <= peerCount) return;
    throw new ChukchaError(
      "invalid_parameter",
      `min_sync_replicas: ${replicas} is more than the ${peerCount} other nodes that this one knows`,
    );
  }
}

function sourceOf(params: Params): BatchSource | undefined {
  const producer = params.text("producer");
  const sequence = params.text("sequence");
  if (producer === undefined && sequence === undefined) return undefined;
  if (producer === undefined || sequence === undefined) {
    const [given, missing] = producer === undefined ? ["sequence", "producer"] : ["producer", "sequence"];
    throw new ChukchaError(
      "invalid_parameter",
      `${missing}: missing, ${given} was given: a batch is known again by both`,
    );
  }
  return { producer: checkProducer(producer), sequence: params.integer("sequence", SEQUENCE) };
}
