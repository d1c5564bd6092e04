/**
 * What the current settings survive, in one plain sentence: printed at start, and on the status page. A second one says
 * what is deleted.
 *
 * Says the worst that is survived and the least that is not, and which setting would survive that too. What a single
 * write asks for beyond the settings is its own affair.
 *
 * @module
 */

/** What the promise depends on. */
export interface PromiseSettings {
  readonly syncEachWrite: boolean;
  /** How many other nodes hold a write before it is answered. */
  readonly minSyncReplicas: number;
  /** The other nodes of the cluster. */
  readonly peers: readonly unknown[];
  /** What is deleted without a reader's word, and when: the first pattern that matches counts. */
  readonly retentionAge: readonly RetentionRule[];
  readonly retentionSize: readonly RetentionRule[];
  /** What is deleted once all named consumers have acknowledged it. */
  readonly retentionConsumed: readonly RetentionRule[];
}

/** One rule, as it was written. */
export interface RetentionRule {
  readonly pattern: string;
  readonly text: string;
  /** `undefined` where it only says that there is none. */
  readonly limit: number | undefined;
}

/**
 * The sentences.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * const rules = { retentionAge: [], retentionSize: [], retentionConsumed: [] };
 * const settings = { syncEachWrite: true, minSyncReplicas: 0, peers: [], ...rules };
 * assertStringIncludes(describePromise(settings), "survives a power loss");
 * ```
 */
export function describePromise(settings: PromiseSettings): string {
  const { syncEachWrite, minSyncReplicas, peers } = settings;
  const what = minSyncReplicas > 0
    ? replicated(minSyncReplicas, syncEachWrite)
    : peers.length > 0
    ? fetchedLater(peers.length, syncEachWrite)
    : alone(syncEachWrite);
  return `A write answered with 200 survives ${what}. ${expiry(settings)}${consumed(settings)}`;
}

/** What goes with the word of those who have a name. */
function consumed({ retentionConsumed }: PromiseSettings): string {
  const rule = list(retentionConsumed, () => "once every named consumer has acknowledged it");
  return rule === undefined ? "" : ` By its consumers, a chunk is deleted ${rule}.`;
}

/** What goes without a reader's word. */
function expiry({ retentionAge, retentionSize }: PromiseSettings): string {
  const rules = [
    list(retentionAge, (text) => `${text} after its last message`),
    list(retentionSize, (text) => `when it is older than the newest ${text}`),
  ].filter((rule) => rule !== undefined);
  if (rules.length === 0) return "Nothing expires: only what a reader acknowledges is deleted.";
  return `A chunk expires, acknowledged or not, ${rules.join(", and ")}.`;
}

function list(rules: readonly RetentionRule[], describe: (text: string) => string): string | undefined {
  if (rules.every(({ limit }) => limit === undefined)) return undefined;
  const parts = rules.map(({ pattern, text, limit }) => {
    const when = limit === undefined ? "never" : describe(text);
    if (pattern !== "*") return `${when} in ${pattern}`;
    return rules.length === 1 ? when : `${when} elsewhere`;
  });
  const isAll = rules.at(-1)?.pattern === "*";
  return [...parts, ...isAll ? [] : ["never elsewhere"]].join(", ");
}

function alone(synced: boolean): string {
  return synced
    ? "a power loss of this machine, but not the loss of its disk: there is no other node to copy it to"
    : "the death of this process, but not a power loss of this machine (--sync-each-write does), nor the loss of " +
      "its disk: there is no other node to copy it to";
}

function fetchedLater(peers: number, synced: boolean): string {
  const loss = peers === 1
    ? "what the other node has not yet fetched is lost with it"
    : `what none of the ${peers} other nodes has fetched yet is lost with it`;
  return synced
    ? `a power loss of this machine, but not the loss of its disk (--min-sync-replicas does): ${loss}`
    : "the death of this process, but neither a power loss of this machine (--sync-each-write does) nor its loss " +
      `for good (--min-sync-replicas does): ${loss}`;
}

function replicated(replicas: number, synced: boolean): string {
  const any = replicas === 1 ? "any one machine" : `any ${replicas} machines`;
  const holders = replicas === 1 ? "both machines that hold it" : `all ${replicas + 1} machines that hold it`;
  return synced
    ? `the loss of ${any} for good, and a power loss of the whole cluster, but not the loss of ${holders}`
    : `the loss of ${any} for good, but not a power loss of ${holders} at the same time (--sync-each-write does)`;
}
